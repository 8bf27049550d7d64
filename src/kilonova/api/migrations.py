"""``/os-migrations``: records of servers' moves."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kilonova.api import fields, links
from kilonova.api.servers.gathering import left_out
from kilonova.api.servers.listing import moment
from kilonova.api.servers.server_migrations import OWNERS, PLACES, View
from kilonova.domain import migration as kinds
from kilonova.kit.errors import Invalid
from kilonova.kit.http import paging
from kilonova.kit.http.document import Document, Out
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.store import moves
from kilonova.store.cell import Answers

_RULE = "os_compute_api:os-migrations:index"
_PAGES_SINCE, _OWNERS_SINCE = 59, 80
_FILTERS = {
    # query key → column
    "instance_uuid": "server_uuid",
    "status": "status",
    "source_compute": "source_compute",
    "migration_type": "kind",
    "user_id": "user_id",
    "project_id": "project_id",
}
_ENTRY = Document(
    (
        Out("id"),
        Out("instance_uuid", "server_uuid"),
        *PLACES,
        Out("status"),
        Out("old_instance_type_id", "old_flavor"),
        Out("new_instance_type_id", "new_flavor"),
        Out("migration_type", "kind", since=(2, 23)),
        Out("links", lambda row, view: view.links(row), since=(2, 23), group="live"),
        Out("created_at"),
        Out("updated_at"),
        *OWNERS,
    )
)
_LIVE = frozenset({"live"})


def index(call: Call) -> Any:
    """Newest first from 2.59, which also brings pages. Who may not see all projects sees the own one."""
    own = {"project_id": call.context.project_id, "user_id": call.context.user_id}
    call.demand(_RULE, own)
    maximum = call.app.api.max_limit
    limit = paging.limit_of(call, maximum) if call.at_least(_PAGES_SINCE) else None
    found: list[Any] = []
    if call.one("hidden") not in {"1", "true", "True"}:
        found = _found(call, _equal(call, own), limit)
    shown = found if limit is None else found[:limit]
    plain, live = _ENTRY.compile(call.version), _ENTRY.compile(call.version, _LIVE)
    view = View(call, hosts=call.allow(_RULE + ":host", own))
    body: dict[str, Any] = {"migrations": [(live if _under_way(row) else plain)(row, view) for row in shown]}
    if len(found) > len(shown) and shown:
        body["migrations_links"] = links.page_link(call, "os-migrations", shown[-1]["uuid"])
    return body


def _under_way(row: Mapping[str, Any]) -> bool:
    return row["kind"] == kinds.LIVE and row["status"] in kinds.LIVE_RUNNING


def _equal(call: Call, own: Mapping[str, Any]) -> dict[str, str]:
    keys = set(_FILTERS) - (set() if call.at_least(_OWNERS_SINCE) else {"user_id", "project_id"})
    equal = {_FILTERS[key]: str(call.one(key)) for key in keys if call.one(key) is not None}
    if equal.get("project_id") != own["project_id"]:
        if "project_id" in equal:
            call.demand(_RULE + ":all_projects", own)
        elif not call.allow(_RULE + ":all_projects", own):
            equal["project_id"] = str(own["project_id"])
    return equal


def _found(call: Call, equal: Mapping[str, str], limit: int | None) -> list[Any]:
    """The page and one more. Raises Invalid for a marker that nobody knows."""
    since, before = call.one("changes-since"), call.one("changes-before")
    paged = call.at_least(_PAGES_SINCE)
    query = moves.MoveQuery(
        limit=None if limit is None else limit + 1,
        equal=equal,
        host=call.one("host"),
        since=moment("changes-since", since) if since and paged else None,
        before=moment("changes-before", before) if before and call.at_least(66) else None,
        marker=call.one("marker") if paged else None,
        newest_first=paged,
    )
    if query.since and query.before and query.since > query.before:
        raise Invalid("The value of changes-since must be less than or equal to changes-before.")
    store = call.app.store
    query = replace(query, over_cells=len(store.working) > 1)
    if query.over_cells and query.marker is not None:
        query = replace(query, after=_position(call, query.marker))
    answers = store.ask(lambda connection: moves.page(connection, query), store.working)
    left_out(call, answers)
    pages = list(answers.values())
    if pages == [None]:
        raise _unknown(query.marker)
    found = [row for page in pages for row in page or ()]
    if query.over_cells:
        found.sort(key=lambda row: (row["created_at"], row["uuid"]), reverse=query.newest_first)
    return found[: query.limit]


def _position(call: Call, marker: str) -> tuple[str, str]:
    answers: Answers[tuple[str, str] | None] = call.app.store.ask(
        lambda connection: moves.position(connection, marker), call.app.store.working
    )
    for found in answers.values():
        if found is not None:
            return found
    answers.whole()
    raise _unknown(marker)


def _unknown(marker: str | None) -> Invalid:
    return Invalid(f"marker: Migration {marker} could not be found.")


_QUERY = fields.query(
    "host",
    "status",
    "instance_uuid",
    "source_compute",
    "hidden",
    "migration_type",
    fields.key("limit", since=(2, 59)),
    fields.key("marker", since=(2, 59)),
    fields.key("changes-since", since=(2, 59)),
    fields.key("changes-before", since=(2, 66)),
    fields.key("user_id", since=(2, 80)),
    fields.key("project_id", since=(2, 80)),
)
ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/os-migrations",
        handler=index,
        query=_QUERY,
        strict_query=(2, 59),
        summary="List moves of servers",
    ),
)
