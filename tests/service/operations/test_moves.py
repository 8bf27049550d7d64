"""Servers that move between two hosts and two flavors, over HTTP; what they leave and claim is looked at each time."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import falcon.testing
import pytest
from tests.service.cloud import wait_for
from tests.service.operations.audit import audit, quota_errors, server_row
from tests.service.operations.crash import Fuse, Site
from tests.service.operations.test_hosts_lost import find, lose

from kilonova.clients.cinder.contract import VolumeNotUsable
from kilonova.domain.power import PowerState
from kilonova.operations.auto_confirm import confirm_overdue

ADMIN = "admin:project"
QUOTA = "/os-quota-sets/project"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("site"))
    made.open()
    made.flavor("m1.thin", ident="3", vcpus=1, ram=64, disk=1)
    with ExitStack() as stack:
        stack.enter_context(made.conducting(Fuse()))
        yield made
    made.stop()


@pytest.fixture
def server(site: Site) -> Iterator[str]:
    """Running; deleted afterwards, and nothing of it is left."""
    uuid = site.create()
    site.until(uuid, "ACTIVE")
    yield uuid
    site.faults.clear()
    site.network_api.deaf_hosts.clear()
    site.call("DELETE", f"/servers/{uuid}")
    site.until_gone(uuid)
    site.settle(uuid)
    assert audit(site.world(), uuid, "deleted") == []
    assert quota_errors(site.world()) == []


def act(site: Site, uuid: str, action: str, value: Any = None, version: str = "2.104") -> falcon.testing.Result:
    return site.call("POST", f"/servers/{uuid}/action", {action: value}, version=version, token=ADMIN)


def moved(site: Site, uuid: str, action: str, value: Any = None, status: str = "VERIFY_RESIZE") -> str:
    """Ask, wait; the server's host."""
    result = act(site, uuid, action, value)
    assert result.status_code in {200, 202, 204}, result.text
    site.until(uuid, status)
    site.settle(uuid)
    return str(server_row(site.world(), uuid)["host"])


def records(site: Site, uuid: str) -> list[dict[str, Any]]:
    found = site.call("GET", f"/os-migrations?instance_uuid={uuid}", token=ADMIN).json["migrations"]
    return list(found)


def actions(site: Site, uuid: str) -> list[tuple[str, Any]]:
    found = site.call("GET", f"/servers/{uuid}/os-instance-actions").json["instanceActions"]
    return [(entry["action"], entry["message"]) for entry in found]


def flavor(site: Site, uuid: str) -> str:
    return str(site.show(uuid).json["server"]["flavor"]["original_name"])


def test_a_resize_is_confirmed(site: Site, server: str) -> None:
    before = server_row(site.world(), server)["host"]
    host = moved(site, server, "resize", {"flavorRef": "2"})
    assert host != before
    assert flavor(site, server) == "m1.big"
    assert audit(site.world(), server, "resized") == []
    (record,) = records(site, server)
    assert (record["status"], record["migration_type"]) == ("finished", "resize")
    assert (record["source_compute"], record["dest_compute"]) == (before, host)
    assert moved(site, server, "confirmResize", status="ACTIVE") == host
    assert records(site, server)[0]["status"] == "confirmed"
    assert audit(site.world(), server, "active") == []
    assert quota_errors(site.world()) == []
    assert [name for name, _ in actions(site, server)] == ["confirmResize", "resize", "create"]


def test_a_resize_is_reverted(site: Site, server: str) -> None:
    before = server_row(site.world(), server)["host"]
    moved(site, server, "resize", {"flavorRef": "2"})
    assert moved(site, server, "revertResize", status="ACTIVE") == before
    assert flavor(site, server) == "m1.tiny"
    assert records(site, server)[0]["status"] == "reverted"
    assert audit(site.world(), server, "active") == []
    assert quota_errors(site.world()) == []


@pytest.mark.parametrize(
    ("end", "call"), [("revertResize", "abandon"), ("revertResize", "take_back"), ("confirmResize", "let_go")]
)
def test_what_a_move_that_could_not_end_left_goes_with_its_server(site: Site, server: str, end: str, call: str) -> None:
    moved(site, server, "resize", {"flavorRef": "2"})
    site.faults.fail(call)
    moved(site, server, end, status="ERROR")
    assert records(site, server)[0]["status"] == "error"


def test_a_smaller_server_counts_for_less_at_once_and_needs_room_to_be_reverted(site: Site, server: str) -> None:
    ram = server_row(site.world(), server)["memory_mb"]
    moved(site, server, "resize", {"flavorRef": "3"})
    assert quota_errors(site.world()) == []
    site.call("PUT", QUOTA, {"quota_set": {"ram": ram - 1, "force": True}}, token=ADMIN)
    assert act(site, server, "revertResize").status_code == 403
    site.call("DELETE", QUOTA, token=ADMIN)
    moved(site, server, "revertResize", status="ACTIVE")
    assert quota_errors(site.world()) == []


def test_a_guest_that_moves_is_held_until_its_port_is_wired(site: Site, server: str) -> None:
    def held() -> bool:
        guests = (guest for host in site.hosts.values() for guest in host.driver.guests())
        return any(guest.uuid == server and guest.power is PowerState.PAUSED for guest in guests)

    site.network_api.wires_late = True
    try:
        for action, value, status in (
            ("resize", {"flavorRef": "2"}, "VERIFY_RESIZE"),
            ("revertResize", None, "ACTIVE"),
        ):
            assert act(site, server, action, value).status_code == 202
            wait_for(held)
            site.network_api.wire(server)
            assert site.until(server, status)["OS-EXT-STS:power_state"] == PowerState.RUNNING
            site.settle(server)
            assert not held()
    finally:
        site.network_api.wires_late = False
    assert audit(site.world(), server, "active") == []


@pytest.fixture
def on_volumes(site: Site) -> Iterator[str]:
    """A server that boots from a volume and has another one; nothing of it is left afterwards."""
    uuid = site.create_on_volumes()
    site.until(uuid, "ACTIVE")
    yield uuid
    site.faults.clear()
    site.volumes.interfere = lambda _call, _id: None
    site.delete(uuid)
    site.until_gone(uuid)
    site.settle(uuid)
    assert audit(site.world(), uuid, "deleted") == []


def test_a_server_that_stays_on_its_host_keeps_its_attachments(tmp_path: Path) -> None:
    """Cinder refuses a host a second one of the same volume."""
    site = Site(tmp_path, allow_resize_to_same_host="true")
    site.open()
    site.flavor("m1.thin", ident="3", vcpus=1, ram=64, disk=1)
    with site.conducting(Fuse()):
        uuid = site.create_on_volumes()
        site.until(uuid, "ACTIVE")
        here = server_row(site.world(), uuid)["host"]
        for service in site.call("GET", "/os-services?binary=nova-compute", token=ADMIN).json["services"]:
            if service["host"] != here:
                site.call("PUT", f"/os-services/{service['id']}", {"status": "disabled"}, token=ADMIN)
        before = {attachment.id for attachment in site.volumes.attachments(uuid)}
        for end in ("revertResize", "confirmResize"):
            assert moved(site, uuid, "resize", {"flavorRef": "3"}) == here
            assert {attachment.id for attachment in site.volumes.attachments(uuid)} == before
            assert moved(site, uuid, end, status="ACTIVE") == here
            assert {attachment.id for attachment in site.volumes.attachments(uuid)} == before
            assert audit(site.world(), uuid, "active") == []
    site.stop()


def _exported(site: Site, uuid: str) -> dict[str, set[str]]:
    """Host → volumes that the volume service has exported to it."""
    found: dict[str, set[str]] = {}
    for listed in site.volumes.attachments(uuid):
        attachment = site.volumes.attachment(listed.id)
        found.setdefault(attachment.connection_info["data"]["host"], set()).add(attachment.volume_id)
    return found


def _volumes(site: Site, uuid: str) -> set[str]:
    listed = site.call("GET", f"/servers/{uuid}/os-volume_attachments").json["volumeAttachments"]
    return {entry["volumeId"] for entry in listed}


def test_volumes_follow_every_move(site: Site, on_volumes: str) -> None:
    ids, first = _volumes(site, on_volumes), server_row(site.world(), on_volumes)["host"]
    second = moved(site, on_volumes, "resize", {"flavorRef": "3"})
    assert _exported(site, on_volumes) == {first: ids, second: ids}
    assert set(site.hosts[second].driver.volumes(on_volumes)) == ids
    assert audit(site.world(), on_volumes, "resized") == []
    assert moved(site, on_volumes, "revertResize", status="ACTIVE") == first
    assert _exported(site, on_volumes) == {first: ids}
    moved(site, on_volumes, "migrate")
    moved(site, on_volumes, "confirmResize", status="ACTIVE")
    assert _exported(site, on_volumes) == {second: ids}
    assert live(site, on_volumes).status_code == 202
    site.settle(on_volumes)
    assert _exported(site, on_volumes) == {first: ids}
    assert audit(site.world(), on_volumes, "active") == []
    lose(site, first)
    moved(site, on_volumes, "evacuate", {}, status="SHUTOFF")
    assert _exported(site, on_volumes) == {second: ids}
    find(site, first)
    wait_for(lambda: records(site, on_volumes)[0]["status"] == "completed")
    assert audit(site.world(), on_volumes, "stopped") == []


def test_volumes_that_came_and_went_while_a_move_waits(site: Site, on_volumes: str) -> None:
    first = server_row(site.world(), on_volumes)["host"]
    moved(site, on_volumes, "migrate")
    path = f"/servers/{on_volumes}/os-volume_attachments"
    gone = str(site.call("GET", path).json["volumeAttachments"][1]["volumeId"])
    assert site.call("DELETE", f"{path}/{gone}").status_code == 202
    site.settle(on_volumes)
    body = {"volumeAttachment": {"volumeId": site.volumes.add().id}}
    assert site.call("POST", path, body).status_code == 202
    site.settle(on_volumes)
    assert moved(site, on_volumes, "revertResize", status="ACTIVE") == first
    assert _exported(site, on_volumes) == {first: _volumes(site, on_volumes)}
    assert site.volumes.get(None, gone).status == "available"
    assert audit(site.world(), on_volumes, "active") == []


@pytest.mark.parametrize("call", ["reserve", "connect"])
def test_a_volume_that_cannot_follow_ends_the_move(site: Site, on_volumes: str, call: str) -> None:
    first, attached = server_row(site.world(), on_volumes)["host"], site.volumes.attachments(on_volumes)

    def interfere(name: str, _id: str) -> None:
        if name == call:
            raise VolumeNotUsable(reason="not today")

    site.volumes.interfere = interfere
    for action, value in (("os-migrateLive", {"host": None, "block_migration": "auto"}), ("migrate", None)):
        assert act(site, on_volumes, action, value).status_code == 202
        site.settle(on_volumes)
        assert server_row(site.world(), on_volumes)["host"] == first
        assert site.volumes.attachments(on_volumes) == attached
        assert audit(site.world(), on_volumes, "active") == []


def test_a_stopped_server_stays_off(site: Site, server: str) -> None:
    assert act(site, server, "os-stop").status_code == 202
    site.until(server, "SHUTOFF")
    moved(site, server, "migrate")
    moved(site, server, "confirmResize", status="SHUTOFF")
    moved(site, server, "resize", {"flavorRef": "3"})
    moved(site, server, "revertResize", status="SHUTOFF")


def test_a_resized_server_is_deleted_with_what_its_source_keeps(site: Site, server: str) -> None:
    moved(site, server, "resize", {"flavorRef": "2"})


def test_an_overdue_resize_is_confirmed_by_itself(site: Site, server: str) -> None:
    moved(site, server, "resize", {"flavorRef": "2"})
    tools = site.new_conductor(Fuse()).tools
    (cell,) = tools.store.working
    there = server_row(site.world(), server)["host"]
    assert confirm_overdue(tools, cell, there, 60) == 0
    site.clock.skip(61)
    for host in site.hosts.values():
        host.reporter.alive()
    assert confirm_overdue(tools, cell, "another", 60) == 0
    assert confirm_overdue(tools, cell, there, 60) == 1
    site.until(server, "ACTIVE")


@pytest.mark.parametrize("call", ["berth", "give", "take"])
def test_a_resize_that_fails_leaves_the_server_as_it_was(site: Site, server: str, call: str) -> None:
    before = server_row(site.world(), server)
    site.faults.fail(call)
    assert act(site, server, "resize", {"flavorRef": "2"}).status_code == 202
    site.settle(server)
    site.faults.clear()
    assert audit(site.world(), server, "active") == []
    assert {k: server_row(site.world(), server)[k] for k in ("host", "flavor")} == {
        k: before[k] for k in ("host", "flavor")
    }
    assert records(site, server)[0]["status"] == "error"
    assert actions(site, server)[0] == ("resize", "Error")
    assert quota_errors(site.world()) == []


def test_a_destination_that_cannot_be_bound_ends_the_move(site: Site, server: str) -> None:
    other = {"host1": "host2", "host2": "host1"}[server_row(site.world(), server)["host"]]
    site.network_api.deaf_hosts.add(other)
    assert act(site, server, "migrate", {"host": other}).status_code == 202
    site.settle(server)
    site.network_api.deaf_hosts.clear()
    assert audit(site.world(), server, "active") == []
    assert records(site, server)[0]["status"] == "error"


def test_a_source_that_cannot_start_it_again_says_so_and_a_hard_reboot_brings_it_back(site: Site, server: str) -> None:
    site.faults.fail("take")
    site.faults.fail("take_back")
    act(site, server, "resize", {"flavorRef": "2"})
    found = site.until(server, "ERROR")
    site.settle(server)
    site.faults.clear()
    assert "could not be started" in found["fault"]["message"]
    assert site.call("POST", f"/servers/{server}/action", {"reboot": {"type": "HARD"}}).status_code == 202
    site.settle(server)
    assert audit(site.world(), server, "active") == []


def test_disks_do_not_shrink(site: Site, server: str) -> None:
    moved(site, server, "resize", {"flavorRef": "2"})
    moved(site, server, "confirmResize", status="ACTIVE")
    assert act(site, server, "resize", {"flavorRef": "1"}).status_code == 202
    site.settle(server)
    assert audit(site.world(), server, "active") == []
    assert actions(site, server)[0] == ("resize", "Error")


def test_what_cannot_be_is_refused_at_once(site: Site, server: str) -> None:
    host = server_row(site.world(), server)["host"]
    cases = [
        ("resize", {"flavorRef": "1"}, 400),
        ("resize", {"flavorRef": "none"}, 400),
        ("migrate", {"host": host}, 400),
        ("migrate", {"host": "nowhere"}, 400),
        ("confirmResize", None, 409),
        ("revertResize", None, 409),
        ("os-migrateLive", {"host": host, "block_migration": "auto"}, 400),
        ("evacuate", {}, 400),
    ]
    assert [act(site, server, action, value).status_code for action, value, _ in cases] == [c for *_, c in cases]
    assert records(site, server) == []


def live(site: Site, uuid: str, **more: Any) -> falcon.testing.Result:
    return act(site, uuid, "os-migrateLive", {"host": None, "block_migration": "auto", **more})


def test_a_live_migration(site: Site, server: str) -> None:
    before = server_row(site.world(), server)["host"]
    assert live(site, server).status_code == 202
    site.settle(server)
    assert server_row(site.world(), server)["host"] != before
    assert audit(site.world(), server, "active") == []
    assert [(r["status"], r["migration_type"]) for r in records(site, server)] == [("completed", "live-migration")]


def test_a_paused_server_arrives_paused(site: Site, server: str) -> None:
    site.call("POST", f"/servers/{server}/action", {"pause": None})
    site.until(server, "PAUSED")
    assert live(site, server).status_code == 202
    site.until(server, "PAUSED")
    assert server_row(site.world(), server)["power_state"] == 3


@pytest.mark.parametrize("call", ["check", "prepare", "send"])
def test_a_live_migration_that_fails_changes_nothing(site: Site, server: str, call: str) -> None:
    before = server_row(site.world(), server)["host"]
    site.faults.fail(call)
    assert live(site, server).status_code == 202
    site.settle(server)
    site.faults.clear()
    assert server_row(site.world(), server)["host"] == before
    assert audit(site.world(), server, "active") == []
    assert records(site, server)[0]["status"] == "error"


def test_old_clients_wait_for_the_checks(site: Site, server: str) -> None:
    site.faults.fail("check")
    body = {"host": None, "block_migration": False, "disk_over_commit": False}
    result = act(site, server, "os-migrateLive", body, version="2.1")
    assert (result.status_code, "told to fail" in result.text) == (400, True)
    site.faults.clear()
    site.settle(server)
    copying = {**body, "block_migration": True, "disk_over_commit": True}
    assert act(site, server, "os-migrateLive", copying, version="2.1").status_code == 202
    site.settle(server)
    assert records(site, server)[0]["status"] == "completed"


def _slowly(site: Site, uuid: str) -> dict[str, Any]:
    """A live migration under way."""
    site.faults.slow("tick", 0.1)
    assert live(site, uuid).status_code == 202
    path = f"/servers/{uuid}/migrations"
    wait_for(lambda: any(m["memory_processed_bytes"] for m in site.call("GET", path, token=ADMIN).json["migrations"]))
    (found,) = site.call("GET", path, token=ADMIN).json["migrations"]
    return dict(found)


@pytest.mark.parametrize("how", ["abort", "force", "delete"])
def test_a_live_migration_under_way(site: Site, server: str, how: str) -> None:
    before = server_row(site.world(), server)["host"]
    found = _slowly(site, server)
    assert site.show(server).json["server"]["status"] == "MIGRATING"
    path = f"/servers/{server}/migrations/{found['id']}"
    assert site.call("GET", path, token=ADMIN).json["migration"]["memory_total_bytes"] == 128 * 1024**2
    listed = site.call("GET", f"/os-migrations?instance_uuid={server}", token=ADMIN).json["migrations"][0]
    assert listed["links"][0]["href"].endswith(path)
    if how == "abort":
        assert site.call("DELETE", path, token=ADMIN).status_code == 202
    elif how == "force":
        assert site.call("POST", f"{path}/action", {"force_complete": None}, token=ADMIN).status_code == 202
    else:
        site.delete(server)
    site.settle(server)
    site.faults.clear()
    if how == "delete":
        return
    stayed = how == "abort"
    assert (server_row(site.world(), server)["host"] == before) is stayed
    assert records(site, server)[0]["status"] == ("cancelled" if stayed else "completed")
    assert audit(site.world(), server, "active") == []
    assert site.call("GET", path, token=ADMIN).status_code == 404


def test_evacuation_and_the_host_that_comes_back(site: Site, server: str) -> None:
    before = server_row(site.world(), server)["host"]
    lose(site, before)
    other = moved(site, server, "evacuate", {}, status="SHUTOFF")
    assert other != before
    assert records(site, server)[0]["status"] == "done"
    assert audit(site.world(), server, "stopped") != []
    find(site, before)
    wait_for(lambda: records(site, server)[0]["status"] == "completed")
    assert audit(site.world(), server, "stopped") == []


def test_old_evacuation_starts_the_server_and_tells_its_password(site: Site, server: str) -> None:
    before = server_row(site.world(), server)["host"]
    lose(site, before)
    result = act(site, server, "evacuate", {"onSharedStorage": False, "adminPass": "secret"}, version="2.1")
    assert (result.status_code, result.json) == (200, {"adminPass": "secret"})
    site.until(server, "ACTIVE")
    find(site, before)
    wait_for(lambda: records(site, server)[0]["status"] == "completed")
    assert audit(site.world(), server, "active") == []


def test_an_evacuation_that_fails_can_be_repeated(site: Site, server: str) -> None:
    before = server_row(site.world(), server)["host"]
    lose(site, before)
    site.faults.fail("revive", times=1)
    act(site, server, "evacuate", {})
    assert "told to fail" in site.until(server, "ERROR")["fault"]["message"]
    site.settle(server)
    assert server_row(site.world(), server)["host"] == before
    moved(site, server, "evacuate", {}, status="SHUTOFF")
    find(site, before)
    wait_for(lambda: records(site, server)[0]["status"] == "completed")
    assert audit(site.world(), server, "stopped") == []


def test_records_have_pages_and_owners(site: Site, server: str) -> None:
    for _ in range(2):
        moved(site, server, "migrate")
        moved(site, server, "confirmResize", status="ACTIVE")
    page = site.call("GET", f"/os-migrations?instance_uuid={server}&limit=1", token=ADMIN).json
    assert [m["status"] for m in page["migrations"]] == ["confirmed"]
    marker = page["migrations"][0]["uuid"]
    assert f"marker={marker}" in page["migrations_links"][0]["href"]
    rest = site.call("GET", f"/os-migrations?instance_uuid={server}&marker={marker}", token=ADMIN).json
    assert [m["id"] < page["migrations"][0]["id"] for m in rest["migrations"]] == [True]
    assert "migrations_links" not in rest
    assert site.call("GET", "/os-migrations?marker=none", token=ADMIN).status_code == 400
    assert site.call("GET", "/os-migrations?unknown=1", token=ADMIN).status_code == 400
    assert site.call("GET", "/os-migrations", token="user:project").status_code == 403
    empty = site.call("GET", "/os-migrations?project_id=other", token=ADMIN)
    assert empty.json == {"migrations": []}


_KEYS = {
    "created_at dest_compute dest_host dest_node id instance_uuid new_instance_type_id old_instance_type_id "
    "source_compute source_node status updated_at": 1,
    "migration_type": 23,
    "uuid": 59,
    "user_id project_id": 80,
}
"""Keys of a record, and the minor version that brought them (api-samples/os-migrations)."""


@pytest.mark.parametrize("minor", [1, 22, 23, 58, 59, 79, 80, 104])
def test_records_have_the_keys_of_their_version(site: Site, server: str, minor: int) -> None:
    moved(site, server, "migrate")
    path = f"/os-migrations?instance_uuid={server}"
    (record,) = site.call("GET", path, token=ADMIN, version=f"2.{minor}").json["migrations"]
    assert set(record) == {key for keys, since in _KEYS.items() if minor >= since for key in keys.split()}
    assert isinstance(record["new_instance_type_id"], int)


def test_bodies_are_those_of_their_version(site: Site, server: str) -> None:
    cases = [
        ("os-migrateLive", {"host": None, "block_migration": "auto"}, "2.24", 400),
        ("os-migrateLive", {"host": None, "block_migration": False, "disk_over_commit": False}, "2.25", 400),
        ("os-migrateLive", {"host": None, "block_migration": "auto", "force": False}, "2.29", 400),
        ("os-migrateLive", {"host": None, "block_migration": "auto", "force": False}, "2.68", 400),
        ("migrate", {"host": "host1", "force": True}, "2.56", 400),
        ("evacuate", {}, "2.13", 400),
        ("evacuate", {"onSharedStorage": False}, "2.14", 400),
        ("evacuate", {"force": False}, "2.28", 400),
        ("evacuate", {"force": False}, "2.68", 400),
        ("evacuate", {"adminPass": "x"}, "2.95", 400),
        ("resize", {"flavorRef": "2", "unknown": 1}, "2.1", 400),
    ]
    for action, body, version, status in cases:
        result = act(site, server, action, body, version=version)
        assert (action, version, result.status_code) == (action, version, status), result.text
        assert "Invalid input" in result.text, result.text
    assert records(site, server) == []
