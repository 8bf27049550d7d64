from typing import Any

import pytest
from sqlalchemy.engine import Connection
from tests.unit.store.rows import server

from kilonova.kit.errors import Invalid
from kilonova.store import servers
from kilonova.store.server_lists import FILTERS, MarkerNotFound, ServerQuery, boolean, page


@pytest.fixture(autouse=True)
def filled(cell: Connection) -> None:
    rows = [
        server(1, name="Alpha", tags='["a","b"]', metadata='{"k":"v"}', ips="10.0.0.1", locked_by="owner"),
        server(2, name="beta", tags='["ab"]', metadata='{"k":"w"}', ips="10.0.0.11 fd00::1", task_state="rebooting"),
        server(3, name="gamma", vm_state="stopped", power_state=4, host="h", description='say "k":"v"'),
        server(4, name="gone", vm_state="deleted", deleted=4),
        server(5, name="foreign", project_id="other", config_drive=True),
    ]
    for row in rows:
        servers.insert(cell, [row])


def names(cell: Connection, *, project: str | None = "p", **more: Any) -> list[str]:
    filters = {name: [value] if isinstance(value, str) else value for name, value in more.pop("filters", {}).items()}
    rows = page(cell, ServerQuery(limit=more.pop("limit", 10), project_id=project, filters=filters, **more))
    return [row["name"] for row in rows]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, ["gamma", "beta", "Alpha"]),
        ({"name": "^A"}, ["Alpha"]),
        ({"name": "a$"}, ["gamma", "beta", "Alpha"]),
        ({"status": "REBOOT"}, ["beta"]),
        ({"status": "ACTIVE"}, ["Alpha"]),
        ({"status": ["active", "shutoff"]}, ["gamma", "Alpha"]),
        ({"tags": "a"}, ["Alpha"]),
        ({"tags": "a,b"}, ["Alpha"]),
        ({"tags": "a,ab"}, []),
        ({"tags-any": "a,ab"}, ["beta", "Alpha"]),
        ({"not-tags": "a"}, ["gamma", "beta"]),
        ({"not-tags-any": "a,ab"}, ["gamma"]),
        ({"metadata": '{"k":"v"}'}, ["Alpha"]),
        ({"metadata": '[{"k":"v"}]'}, ["Alpha"]),
        ({"ip": "10.0.0.1"}, ["beta", "Alpha"]),
        ({"ip": "^10.0.0.1$"}, ["Alpha"]),
        ({"ip6": "fd00"}, ["beta"]),
        ({"locked": "true"}, ["Alpha"]),
        ({"locked": "0"}, ["gamma", "beta"]),
        ({"host": "h"}, ["gamma"]),
        ({"power_state": "4"}, ["gamma"]),
        ({"power_state": "9" * 30}, []),
        ({"changes-since": "2026-01-01T00:00:02.000000"}, ["gamma", "beta"]),
        ({"changes-before": "2026-01-01T00:00:02.000000"}, ["beta", "Alpha"]),
        ({"config_drive": "yes"}, []),
    ],
)
def test_filters(cell: Connection, filters: dict[str, Any], expected: list[str]) -> None:
    assert names(cell, filters=filters) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [("name", "("), ("ip", "["), ("metadata", "x"), ("metadata", "[1]"), ("power_state", "x"), ("colour", "x")],
)
def test_filters_that_cannot_be(cell: Connection, name: str, value: str) -> None:
    with pytest.raises(Invalid):
        names(cell, filters={name: value})


def test_projects_and_deleted_ones(cell: Connection) -> None:
    assert names(cell, project=None) == ["foreign", "gamma", "beta", "Alpha"]
    assert names(cell, deleted=True) == ["gone"]
    assert names(cell, deleted=None) == ["gone", "gamma", "beta", "Alpha"]


@pytest.mark.parametrize("sort", [[("name", "asc")], [("vm_state", "desc"), ("name", "asc")], [("host", "desc")], []])
def test_pages_join_without_gap_or_overlap(cell: Connection, sort: list[tuple[str, str]]) -> None:
    whole = page(cell, ServerQuery(limit=10, sort=sort))
    seen: list[str] = []
    marker = None
    for _page in range(5):
        rows = page(cell, ServerQuery(limit=1, sort=sort, marker=marker))
        seen += [row["uuid"] for row in rows]
        marker = seen[-1]
    assert seen == [row["uuid"] for row in whole] + seen[len(whole) :]
    assert len(whole) == 4


def test_a_marker_must_be_of_the_list(cell: Connection) -> None:
    for marker in ("none", server(5)["uuid"]):
        with pytest.raises(MarkerNotFound):
            names(cell, marker=marker)


def test_words_for_true() -> None:
    assert [boolean(word) for word in ("1", "True", " yes", "0", "no", "")] == [True, True, True, False, False, False]
    assert "name" in FILTERS
