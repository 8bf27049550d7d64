from sqlalchemy.engine import Connection
from tests.unit.store.rows import NOW, server

from kilonova.store import archive, server_passwords, servers

ONE = server(1)["uuid"]


def test_written_and_read(cell: Connection) -> None:
    servers.insert(cell, [server(1), server(2)])
    found = servers.get(cell, ONE)
    assert found is not None
    assert found["name"] == "s1"
    assert servers.get(cell, "none") is None
    assert servers.existing(cell, [ONE, "none"]) == {ONE}


def test_a_deleted_one_is_read_only_when_asked_for(cell: Connection) -> None:
    servers.insert(cell, [server(1, power_state=1, task_state="deleting")])
    servers.mark_deleted(cell, ONE, NOW)
    assert servers.get(cell, ONE) is None
    found = servers.get(cell, ONE, deleted=True)
    assert found is not None
    assert (found["vm_state"], found["task_state"], found["terminated_at"]) == ("deleted", None, NOW)
    assert servers.update(cell, ONE, {"name": "x"}) is False


def test_a_change_holds_only_on_its_condition(cell: Connection) -> None:
    servers.insert(cell, [server(1, task_state="rebooting")])
    assert servers.update(cell, ONE, {"name": "x"}, servers.idle()) is False
    assert servers.update(cell, ONE, {"tags": '["a"]'}, servers.tags_are("[]")) is True
    assert servers.update(cell, ONE, {"tags": '["b"]'}, servers.tags_are("[]")) is False
    assert servers.update(cell, ONE, {"metadata": '{"a":"b"}'}, servers.metadata_is("{}")) is True


def test_a_task_begins_once(cell: Connection) -> None:
    servers.insert(cell, [server(1)])
    seen = servers.get(cell, ONE)
    assert seen is not None
    assert servers.begin_task(cell, seen, "powering-off", NOW) is True
    assert servers.begin_task(cell, seen, "powering-off", NOW) is False


def test_by_address_means_the_whole_address(cell: Connection) -> None:
    rows = [server(1, ips="10.0.0.1 fd00::1"), server(2, ips="10.0.0.11"), server(3, ips="10.0.0.1", deleted=3)]
    servers.insert(cell, rows)
    assert [row["name"] for row in servers.with_address(cell, "10.0.0.1")] == ["s1"]
    assert [row["name"] for row in servers.with_address(cell, "fd00::1")] == ["s1"]
    assert servers.with_address(cell, "0.0.0.1") == []


def test_hosts(cell: Connection) -> None:
    servers.insert(cell, [server(1, host="h", task_state="rebooting"), server(2, host="h"), server(3, host=None)])
    assert [row["name"] for row in servers.on_host(cell, "h")] == ["s1", "s2"]
    assert servers.busy_by_host(cell) == {"h": 1}
    assert servers.hosts_of(cell, [ONE, server(3)["uuid"]]) == {ONE: "h"}
    assert servers.hosts_of(cell, []) == {}


def test_the_long_deleted_are_forgotten_with_their_passwords(cell: Connection) -> None:
    servers.insert(cell, [server(1), server(2)])
    server_passwords.put(cell, ONE, "secret")
    servers.mark_deleted(cell, ONE, NOW)
    assert archive.due(cell, NOW, 10) == []
    assert archive.due(cell, "2026-01-02", 10) == [ONE]
    servers.purge(cell, [ONE])
    assert servers.get(cell, ONE, deleted=True) is None
    assert server_passwords.get(cell, ONE) == ""
