"""Lists of servers over all cells: one page in the order asked for, and what is known of cells that do not answer.

Filters, sorting and paging cannot be done without a cell's database, so what only the API database knows of servers
(from 2.69) is told in the plainest of lists alone; in others, and below, a cell that is down is left out, or the list
fails, as ``[api] list_records_by_skipping_down_cells`` says. The published API guide describes it so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kilonova.api.servers.views import View
from kilonova.kit import codec
from kilonova.kit.clock import show
from kilonova.kit.http.endpoint import Call
from kilonova.store import server_lists, server_mappings
from kilonova.store.cell import Answers
from kilonova.store.cells import Cell
from kilonova.store.server_lists import MarkerNotFound, ServerQuery

Row = Mapping[str, Any]
UNKNOWN = "UNKNOWN"
_SINCE = 69
_PAGING = frozenset({"limit", "marker", "sort_key", "sort_dir"})
_KNOWN_OF_ALL = frozenset({"project_id", "tenant_id"})


@dataclass(frozen=True)
class Gathered:
    """A page."""

    rows: Sequence[Row]
    more: bool = False
    unknown: Sequence[Row] = ()
    """Mappings of servers in cells that do not answer."""


def gather(call: Call, wanted: ServerQuery) -> Gathered:
    """Raises MarkerNotFound, CellDown, Invalid for a filter value that cannot be."""
    store = call.app.store
    if len(store.holding) == 1:
        rows = next(store.ask(lambda connection: server_lists.page(connection, wanted)).values())
        return Gathered(rows, more=0 < wanted.limit == len(rows))
    after = _position(call, wanted)
    answers = store.ask(lambda connection: server_lists.part(connection, wanted, after))
    rows = server_lists.merged(tuple(answers.values()), wanted)
    return Gathered(rows, 0 < wanted.limit == len(rows), _unknown(call, wanted, answers, wanted.limit - len(rows)))


def _position(call: Call, wanted: ServerQuery) -> list[Any] | None:
    if wanted.marker is None:
        return None
    answers = call.app.store.ask(lambda connection: server_lists.position(connection, wanted))
    found: list[Any] | None = next((place for place in answers.values() if place is not None), None)
    if found is None:
        answers.whole()
        raise MarkerNotFound(marker=wanted.marker)
    return found


def _unknown(call: Call, wanted: ServerQuery, answers: Answers[Any], room: int) -> Sequence[Row]:
    """What the API database knows of servers in cells that are down. Raises CellDown."""
    if not answers.down:
        return ()
    plain = wanted.deleted is False and not set(wanted.filters) - _KNOWN_OF_ALL and not _PAGING & set(call.query)
    if not (plain and call.at_least(_SINCE)):
        left_out(call, answers)
        return ()
    projects = wanted.filters.get("project_id") or wanted.filters.get("tenant_id")
    if wanted.project_id is not None:
        projects = [wanted.project_id]
    with call.app.store.api.read() as connection:
        return server_mappings.in_cells(connection, [cell.id for cell in answers.down], projects, room)


def left_out(call: Call, answers: Answers[Any]) -> None:
    """Cells that are down are missing from a list. Raises CellDown where operators want that instead."""
    if not call.app.api.list_records_by_skipping_down_cells:
        answers.whole()


def brief(found: Gathered, view: View) -> list[dict[str, Any]]:
    """What a brief list has of servers that nobody can ask about now."""
    return [{"id": row["uuid"], "status": UNKNOWN, "links": view.self_links(row["uuid"])} for row in found.unknown]


def detailed(found: Gathered, view: View) -> list[dict[str, Any]]:
    """What a detailed list has of them."""
    return [_outline(row, view) for row in found.unknown]


def _outline(row: Row, view: View) -> dict[str, Any]:
    return {
        "created": show(row["created_at"]),
        "id": row["uuid"],
        "status": UNKNOWN,
        "tenant_id": row["project_id"],
        "links": view.self_links(row["uuid"]),
    }


def shown(row: Row, view: View) -> dict[str, Any]:
    """What is shown of one of them; ``row``: its mapping, whole."""
    sketch = codec.loads(row["sketch"] or "{}")
    flavor = {name: value for name, value in sketch.get("flavor", {}).items() if view.specs or name != "extra_specs"}
    image = sketch.get("image")
    return {
        **_outline(row, view),
        "OS-EXT-AZ:availability_zone": sketch.get("zone") or UNKNOWN,
        "OS-EXT-STS:power_state": 0,
        "user_id": row["user_id"],
        "flavor": flavor,
        "image": {"id": image, "links": [{"rel": "bookmark", "href": view.image_base + image}]} if image else "",
    }


def down(call: Call, cell: Cell) -> bool:
    """Whether something may be told of a server in this cell although its database does not answer."""
    return call.at_least(_SINCE) and len(call.app.store.holding) > 1 and not cell.is_cell0
