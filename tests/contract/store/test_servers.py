"""Server rows and their lists: the same answers from every kind of database."""

from collections.abc import Sequence
from typing import Any

import pytest
from tests.contract.store.conftest import Databases
from tests.contract.store.samples import LATER, MUCH_LATER, NOW, add_servers, server

from kilonova.domain.server import SOFT_DELETED
from kilonova.kit.errors import Invalid
from kilonova.store import archive, hosts, server_lists, server_passwords, servers
from kilonova.store.server_lists import FILTERS, SORT_KEYS, MarkerNotFound, ServerQuery

NAMES = ["Zebra", "apple", "Äpfel", "zebra", "Apple", "éclair", "web-10", "web_1", "web 1", "𝄞 clef", "ß", "ss"]


def names(databases: Databases, **wanted: Any) -> list[str]:
    """Names of the servers a query finds."""
    with databases.cell.read() as connection:
        found = server_lists.page(connection, ServerQuery(**{"limit": 100, "sort": (("uuid", "asc"),), **wanted}))
    return [row["name"] for row in found]


def named(databases: Databases, *found: str) -> None:
    with databases.cell.write() as connection:
        add_servers(connection, *(server(f"s{number:02}", name=name) for number, name in enumerate(found)))


def test_rows_come_back_as_they_went(databases: Databases) -> None:
    text = "𝄞 «ü»\\ ' \" % _ \n" + "x" * 200_000
    row = server("s", name="𝄞" * 255, metadata='{"𝄞":"\\u0000?"}', user_data=text, description=text, config_drive=True)
    with databases.cell.write() as connection:
        servers.insert(connection, [row])
        assert servers.hosts_of(connection, ["s"]) == {}
    with databases.cell.read() as connection:
        found = servers.get(connection, "s")
        assert found is not None
        assert {key: found[key] for key in row} == row
        assert (found["deleted"], found["revision"], found["progress"]) == (0, 0, 0)
        (brief,) = servers.get_many(connection, ["s", "none"], servers.BRIEF)
    assert dict(brief) == {"uuid": "s", "name": "𝄞" * 255}


def test_changes_hold_their_conditions(databases: Databases) -> None:
    with databases.cell.write() as connection:
        add_servers(connection, server("s", tags='["A"]', metadata='{"k":"v"}'))
        assert not servers.update(connection, "s", {"name": "b"}, servers.tags_are('["a"]'))
        assert not servers.update(connection, "s", {"name": "b"}, servers.metadata_is('{"K":"v"}'))
        both = (servers.tags_are('["A"]'), servers.metadata_is('{"k":"v"}'), servers.idle())
        assert servers.update(connection, "s", {"name": "b", "task_state": "x"}, *both)
        assert not servers.update(connection, "s", {"name": "c"}, servers.idle())
        seen = servers.get(connection, "s")
        assert seen is not None
        assert servers.begin_task(connection, seen, None, LATER)
        assert not servers.begin_task(connection, seen, "y", LATER)
        # The same values again are a change all the same, also where the server counts only rows that differ.
        assert servers.update(connection, "s", {"name": "b"})
        assert servers.update(connection, "s", {"name": "b"})


def test_the_revision_grows_with_every_change(databases: Databases) -> None:
    with databases.cell.write() as connection:
        servers.insert(connection, [server("s")])
        first = servers.revision(connection, "s")
        servers.update(connection, "s", {"name": "other"})
        assert (first, servers.revision(connection, "s")) == (0, 1)
        servers.mark_deleted(connection, "s", NOW)
        assert servers.revision(connection, "s") is None


def test_deleted_servers_stay_until_they_are_purged(databases: Databases) -> None:
    with databases.cell.write() as connection:
        add_servers(connection, server("a", host="h"), server("b", host="h", task_state="t"), server("c"))
        servers.mark_deleted(connection, "a", LATER)
        servers.mark_deleted(connection, "a", MUCH_LATER)
        assert servers.get(connection, "a") is None
        gone = servers.get(connection, "a", deleted=True)
        assert gone is not None
        assert (gone["deleted"], gone["deleted_at"], gone["vm_state"]) == (gone["id"], LATER, "deleted")
        assert [r["uuid"] for r in servers.on_host(connection, "h")] == ["b"]
        assert servers.hosts_of(connection, ["a", "b", "c"]) == {"b": "h"}
        assert servers.busy_by_host(connection) == {"h": 1}
        assert archive.due(connection, LATER, 10) == []
        assert archive.due(connection, MUCH_LATER, 10) == archive.due(connection, None, 10) == ["a"]
        assert archive.archive(connection, ["a"], MUCH_LATER)["servers"] == 1
        assert archive.is_archived(connection, "a")
        assert archive.purge(connection, LATER) == 0
        assert archive.purge(connection, None) == 1
        assert servers.existing(connection, ["a", "b", "c"]) == {"b", "c"}


def test_a_server_comes_with_its_hosts_service(databases: Databases) -> None:
    with databases.cell.write() as connection:
        add_servers(connection, server("a", host="h"), server("b", host="H"), server("c"))
        hosts.heartbeat(connection, "h", "nova-compute", "u", LATER)
        found = {uuid: servers.get_with_service(connection, uuid) for uuid in "abc"}
        for uuid, whole in found.items():
            outline = servers.outline(connection, uuid)
            assert outline is not None
            assert whole is not None
            assert {"revision", "hints", "service_disabled"} < set(outline) < set(whole)
            assert all(whole[name] == value for name, value in outline.items())
        servers.mark_deleted(connection, "a", LATER)
        assert servers.get_with_service(connection, "a") is None
        assert servers.outline(connection, "a") is None
        assert servers.get_with_service(connection, "a", deleted=True) is not None
    seen = {uuid: row and row["service_last_seen"] for uuid, row in found.items()}
    assert seen == {"a": LATER, "b": None, "c": None}


def test_addresses_are_found_whole(databases: Databases) -> None:
    with databases.cell.write() as connection:
        add_servers(connection, server("a", ips="10.0.0.1 fd00::1"), server("b", ips="10.0.0.11"))
        for address, found in (("10.0.0.1", ["a"]), ("10.0.0.11", ["b"]), ("fd00::1", ["a"]), ("0.0.0.1", [])):
            assert [r["uuid"] for r in servers.with_address(connection, address)] == found


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"name": ["^web"]}, ["web-10", "web_1", "web 1"]),
        ({"name": ["WEB"]}, []),
        ({"name": ["zebra"]}, ["zebra"]),
        ({"name": ["[zZ]ebra"]}, ["Zebra", "zebra"]),
        ({"name": [r"^web.1\d?$"]}, ["web-10", "web_1", "web 1"]),
        ({"name": [r"\d{2}"]}, ["web-10"]),
        ({"name": [r"^\w+$"]}, ["Zebra", "apple", "Äpfel", "zebra", "Apple", "éclair", "web_1", "ß", "ss"]),
        ({"name": ["^.$"]}, ["ß"]),
        ({"name": ["𝄞"]}, ["𝄞 clef"]),
        ({"name": ["^𝄞 "]}, ["𝄞 clef"]),
        ({"name": ["(web|app)"]}, ["apple", "web-10", "web_1", "web 1"]),
        ({"name": ["(?:web|app)"]}, ["apple", "web-10", "web_1", "web 1"]),
        ({"name": ["web(?!-)"]}, ["web_1", "web 1"]),
        ({"name": ["%"]}, []),
        ({"name": ["_"]}, ["web_1"]),
        ({"name": ["a", "l"]}, ["apple", "éclair"]),
        ({"hostname": ["A"]}, ["apple"]),
        ({"hostname": ["a"]}, ["Zebra"]),
        ({"hostname": ["a", "A"]}, ["Zebra", "apple"]),
    ],
    ids=str,
)
def test_texts_are_matched_alike(databases: Databases, filters: dict[str, Sequence[str]], found: list[str]) -> None:
    named(databases, *NAMES)
    with databases.cell.write() as connection:
        servers.update(connection, "s00", {"hostname": "a"})
        servers.update(connection, "s01", {"hostname": "A"})
    assert names(databases, filters=filters) == found


@pytest.mark.filterwarnings("ignore:Possible nested set:FutureWarning")
@pytest.mark.parametrize("pattern", ["(", "[a", "*", "a**", "(?P<n>", "[[:nonsense:]]", r"\1", "a{99999}", "x{2,1}"])
def test_patterns_that_cannot_be_are_refused_by_name(databases: Databases, pattern: str) -> None:
    for name in ("name", "ip", "description", "access_ip_v4"):
        try:
            assert names(databases, filters={name: [pattern]}) == []
        except Invalid as error:
            assert name in str(error)  # noqa: PT017  # either may be: what a database can do with a pattern differs


def test_names_sort_by_bytes_and_pages_meet(databases: Databases) -> None:
    named(databases, *NAMES)
    for direction in ("asc", "desc"):
        expected = sorted(NAMES, reverse=direction == "desc")
        sort = (("name", direction),)
        assert names(databases, sort=sort) == expected
        assert paged(databases, sort) == expected


def paged(databases: Databases, sort: Sequence[tuple[str, str]]) -> list[str]:
    """All names, two at a time."""
    found: list[str] = []
    marker = None
    for _ in range(50):
        with databases.cell.read() as connection:
            rows = server_lists.page(connection, ServerQuery(limit=2, sort=sort, marker=marker))
        found += [row["name"] for row in rows]
        if not rows:
            return found
        marker = rows[-1]["uuid"]
    raise AssertionError(f"the pages do not end: {found[:40]}")


@pytest.mark.parametrize("key", sorted(set(SORT_KEYS.values())))
def test_every_order_is_total_with_what_is_missing_first(databases: Databases, key: str) -> None:
    texts = ["b", None, "B", "a", None]
    numbers = [2, 0, 10, 1, 0]
    table = servers.LIGHT[0].table
    column = table.c[key]
    if column.type.python_type is str:
        given: list[Any] = [value if column.nullable else value or "" for value in texts]
    elif column.type.python_type is bool:
        given = [True, False, True, False, False]
    else:
        given = list(numbers)
    if key == "uuid":
        given = ["b", "0", "B", "a", "1"]
    rows = [server(f"s{n}", name=f"s{n}") | {key: value} for n, value in enumerate(given)]
    with databases.cell.write() as connection:
        add_servers(connection, *rows)
    in_order = sorted(range(len(rows)), key=lambda n: ("" if given[n] is None else given[n], n))
    expected = [rows[number]["name"] for number in in_order]
    for direction, found in (("asc", expected), ("desc", expected[::-1])):
        assert names(databases, sort=((key, direction),)) == found
        assert paged(databases, ((key, direction),)) == found


def test_filters_of_every_kind_are_understood(databases: Databases) -> None:
    one = server(
        "s",
        name="one",
        tags='["red","𝄞"]',
        metadata='{"Key":"Va\\"lue","k":"v"}',
        ips="10.0.0.1 10.0.0.20",
        locked_by="owner",
        host="h",
        config_drive=True,
        power_state=1,
        updated_at=LATER,
        task_state="rebooting",
    )
    with databases.cell.write() as connection:
        add_servers(connection, one, server("t", name="two"))
    only_one: list[tuple[str, str]] = [
        ("tags", "red,𝄞"),
        ("tags-any", "red,blue"),
        ("metadata", '{"Key":"Va\\"lue"}'),
        ("ip", "^10.0.0.1$"),
        ("ip", "0.20$"),
        ("locked", "true"),
        ("config_drive", "1"),
        ("host", "h"),
        ("power_state", "1"),
        ("changes-since", LATER),
        ("status", "reboot"),
        ("task_state", "rebooting"),
        ("uuid", "s"),
    ]
    for name, value in only_one:
        assert names(databases, filters={name: [value]}) == ["one"], name
    only_two = [
        ("not-tags", "red"),
        ("not-tags-any", "red"),
        ("locked", "0"),
        ("changes-before", NOW),
        ("status", "active"),
    ]
    for name, value in only_two:
        assert names(databases, filters={name: [value]}) == ["two"], name
    neither = [
        ("tags", "RED"),
        ("metadata", '{"key":"Va\\"lue"}'),
        ("metadata", '{"Key":"va\\"lue"}'),
        ("host", "H"),
        ("ip", "^0.1$"),
        ("uuid", "S"),
        ("power_state", "99999999999"),
    ]
    for name, value in neither:
        assert names(databases, filters={name: [value]}) == [], name
    both = ["one", "two"]
    assert names(databases, filters={"metadata": ["{}"]}) == both
    assert names(databases, filters={"vm_states": ["active", "stopped"]}) == both
    assert names(databases, filters={"vm_state": ["Active"]}) == []
    for name in FILTERS:
        names(databases, filters={name: ["1" if name != "metadata" else "{}"]})
    with pytest.raises(Invalid, match="colour"):
        names(databases, filters={"colour": ["red"]})
    with pytest.raises(Invalid, match="power_state"):
        names(databases, filters={"power_state": ["on"]})


def test_projects_deletion_and_markers(databases: Databases) -> None:
    with databases.cell.write() as connection:
        add_servers(connection, server("a"), server("b", project_id="P"), server("c"))
        servers.mark_deleted(connection, "c", LATER)
    assert names(databases, project_id="p") == ["a"]
    assert names(databases, deleted=True) == ["c"]
    assert names(databases, deleted=None) == ["a", "b", "c"]
    assert names(databases, marker="c") == []
    for marker, project in (("none", None), ("b", "p"), ("A", None)):
        with pytest.raises(MarkerNotFound, match=marker):
            names(databases, marker=marker, project_id=project)


def test_passwords(databases: Databases) -> None:
    with databases.cell.write() as connection:
        assert server_passwords.put(connection, "s", "x" * 1000)
        assert not server_passwords.put(connection, "s", "y")
        assert server_passwords.get(connection, "s") == "x" * 1000
        server_passwords.clear(connection, "s")
        assert server_passwords.get(connection, "s") == ""


def test_words_for_true() -> None:
    assert [server_lists.boolean(word) for word in ("1", " True ", "on", "0", "", "si")] == [True] * 3 + [False] * 3


def test_what_waits_to_be_reclaimed(databases: Databases) -> None:
    with databases.cell.write() as connection:
        soft = {"vm_state": "soft-delete", "deleted_at": NOW}
        add_servers(
            connection,
            server("soft", **soft),
            server("busy", **soft, task_state="restoring"),
            server("late", vm_state="soft-delete", deleted_at=MUCH_LATER),
            server("shelf", vm_state="shelved", shelved_at=NOW),
        )
        assert [row["uuid"] for row in server_lists.idle_since(connection, SOFT_DELETED, LATER)] == ["soft"]
        assert [row["uuid"] for row in server_lists.idle_since(connection, "shelved", LATER)] == ["shelf"]
        assert server_lists.idle_since(connection, SOFT_DELETED, LATER, limit=0) == []
