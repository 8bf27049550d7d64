"""Hypervisors: compute nodes with their capacity, use and servers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kilonova.api import fields, links
from kilonova.api.servers.gathering import left_out
from kilonova.api.services import View as Services
from kilonova.domain import hypervisor as rules
from kilonova.kit import codec
from kilonova.kit.db.rows import Row
from kilonova.kit.errors import Invalid, Unavailable
from kilonova.kit.http import paging
from kilonova.kit.http.document import Document, Out
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import Field, InvalidInput, is_uuid
from kilonova.store import compute_nodes as store
from kilonova.store.cell import CellDown
from kilonova.store.cells import Cell
from kilonova.store.compute_nodes import Place, Use

_CAPACITY_UNTIL = (2, 87)
_PAGED_SINCE = 33
_UUIDS_SINCE = 53
_SERVERS_ALWAYS_SINCE = 75
_UPTIME_SINCE = 88
_NO_USE = Use()


class View:
    """What the nodes' own rows do not say."""

    def __init__(self, call: Call) -> None:
        self.services = Services(call, {})
        self.name_template: str = call.app.compute.instance_name_template
        self.use: dict[Place, Use] = {}
        self.servers: dict[Place, list[Row]] = {}
        self._facts: dict[str, Mapping[str, Any]] = {}

    def facts(self, row: Row) -> Mapping[str, Any]:
        """What the host last reported about the node; parsed once."""
        found = self._facts.get(row["uuid"])
        if found is None:
            found = self._facts[row["uuid"]] = codec.loads(row["facts"])
        return found

    def used(self, row: Row) -> Use:
        """What its servers take."""
        return self.use.get((row["host"], row["node"]), _NO_USE)

    def servers_of(self, row: Row) -> list[dict[str, str]]:
        """Its servers as the API shows them."""
        found = self.servers.get((row["host"], row["node"]), [])
        return [{"uuid": server["uuid"], "name": self.name_template % server["id"]} for server in found]


def _fact(name: str) -> Callable[[Row, View], Any]:
    return lambda row, view: view.facts(row).get(name)


def _service(ident: str) -> Callable[[Row, View], Any]:
    return lambda row, _view: {
        "id": row[ident],
        "host": row["host"],
        "disabled_reason": row["disabled_reason"],
    }


def _uptime(row: Row, view: View) -> Any:
    return view.facts(row).get("uptime") if view.services.is_up(row) else None


_BRIEF = (
    Out("id", until=(2, 52)),
    Out("id", "uuid", since=(2, 53)),
    Out("hypervisor_hostname", "node"),
    Out("state", lambda row, view: "up" if view.services.is_up(row) else "down"),
    Out("status", lambda row, _view: "disabled" if row["disabled"] else "enabled"),
)
_SERVERS = Out("servers", lambda row, view: view.servers_of(row), group="servers")
_USED: tuple[tuple[str, Callable[[Mapping[str, Any], Use], Any]], ...] = (
    ("vcpus", lambda facts, _use: facts["vcpus"]),
    ("vcpus_used", lambda _facts, use: use.vcpus),
    ("memory_mb", lambda facts, _use: facts["memory_mb"]),
    ("memory_mb_used", lambda _facts, use: use.memory_mb),
    ("free_ram_mb", lambda facts, use: facts["memory_mb"] - use.memory_mb),
    ("local_gb", lambda facts, _use: facts["disk_gb"]),
    ("local_gb_used", lambda _facts, use: use.disk_gb),
    ("free_disk_gb", lambda facts, use: facts["disk_gb"] - use.disk_gb),
    ("disk_available_least", lambda facts, _use: facts["free_disk_gb"]),
    ("current_workload", lambda _facts, use: use.busy),
    ("running_vms", lambda _facts, use: use.servers),
)
"""Capacity, as ``statistics`` sums it up too."""


def _capacity(measure: Callable[[Mapping[str, Any], Use], Any]) -> Callable[[Row, View], Any]:
    return lambda row, view: measure(view.facts(row), view.used(row))


BRIEF = Document((*_BRIEF, _SERVERS))
UPTIME = Document((*_BRIEF, Out("uptime", _uptime)))
FULL = Document(
    (
        *_BRIEF,
        _SERVERS,
        Out("hypervisor_type", _fact("hypervisor_type")),
        Out("hypervisor_version", _fact("hypervisor_version")),
        Out("host_ip", _fact("host_ip")),
        Out("service", _service("service_id"), until=(2, 52)),
        Out("service", _service("service_uuid"), since=(2, 53)),
        Out("cpu_info", lambda row, view: codec.text(view.facts(row).get("cpu_info") or {}), until=(2, 27)),
        Out(
            "cpu_info",
            lambda row, view: view.facts(row).get("cpu_info") or {},
            since=(2, 28),
            until=_CAPACITY_UNTIL,
        ),
        *(Out(name, _capacity(measure), until=_CAPACITY_UNTIL) for name, measure in _USED),
        Out("uptime", _uptime, since=(2, 88)),
    )
)
_RULE = "os_compute_api:os-hypervisors:"
_PATH = "/os-hypervisors"
_WITH_SERVERS = Field(
    name="with_servers",
    schema={"enum": [word for word in fields.BOOLEAN["enum"] if isinstance(word, str)]},
    since=(2, 53),
)
_LIST_QUERY = fields.query(
    fields.key("limit", since=(2, 33)),
    fields.key("marker", since=(2, 33)),
    fields.key("hypervisor_hostname_pattern", since=(2, 53)),
    _WITH_SERVERS,
)
_SHOW_QUERY = fields.query(_WITH_SERVERS)


def _with_servers(call: Call) -> bool:
    return fields.truth(call.one("with_servers", "false"))


def _groups(call: Call, view: View, row: Row, *, wanted: bool) -> frozenset[str]:
    """Up to 2.74 the key is left out when there are none."""
    shown = wanted and (call.at_least(_SERVERS_ALWAYS_SINCE) or bool(view.servers_of(row)))
    return frozenset({"servers"}) if shown else frozenset()


def _complete(call: Call, view: View, cell: Cell, rows: Sequence[Row], *, use: bool, servers: bool) -> None:
    """Read what the shape needs beside the rows; one statement for each."""
    hosts = {row["host"] for row in rows}
    if not hosts or not (use or servers):
        return
    with cell.database.read() as connection:
        if use and not call.at_least(_UPTIME_SINCE):
            view.use.update(store.use(connection, hosts))
        if servers:
            view.servers.update(store.servers_on(connection, hosts))


def _documents(call: Call, document: Document, found: Sequence[tuple[Cell, list[Row]]], *, servers: bool) -> list[Any]:
    view = View(call)
    out = []
    for cell, rows in found:
        _complete(call, view, cell, rows, use=document is FULL, servers=servers)
        for row in rows:
            out.append(document.compile(call.version, _groups(call, view, row, wanted=servers))(row, view))
    return out


def _list(call: Call, document: Document, collection: str) -> Any:
    pattern, servers = call.one("hypervisor_hostname_pattern"), _with_servers(call)
    if pattern is not None:
        if {"limit", "marker"} & set(call.query):
            raise Invalid("Paging with the 'hypervisor_hostname_pattern' query parameter is not supported.")
        return {"hypervisors": _documents(call, document, _matching(call, pattern), servers=servers)}
    paged = call.at_least(_PAGED_SINCE)
    limit = paging.limit_of(call, call.app.api.max_limit) if paged else None
    found = _page(call, limit, call.one("marker") if paged else None)
    body: dict[str, Any] = {"hypervisors": _documents(call, document, found, servers=servers)}
    if limit and len(body["hypervisors"]) == limit and call.one("limit") is not None:
        body["hypervisors_links"] = links.page_link(call, collection, str(body["hypervisors"][-1]["id"]))
    return body


def _page(call: Call, limit: int | None, marker: str | None) -> list[tuple[Cell, list[Row]]]:
    """Cell after cell, from the marker's on. Raises HypervisorMarkerNotFound."""
    cells = list(call.app.store.working)
    after: int | None = None
    if marker is not None:
        cell, row = _locate(call, marker) or (None, {})
        if cell is None:
            raise rules.HypervisorMarkerNotFound(marker=marker)
        cells, after = cells[cells.index(cell) :], row["id"]
    found: list[tuple[Cell, list[Row]]] = []
    for cell in cells:
        left = None if limit is None else limit - sum(len(rows) for _, rows in found)
        if left is not None and left <= 0:
            break
        try:
            with cell.database.read() as connection:
                found.append((cell, store.page(connection, limit=left, after=after)))
        except Unavailable as error:
            if len(call.app.store.working) == 1 or not call.app.api.list_records_by_skipping_down_cells:
                raise CellDown(cell=cell.name) from error
        after = None
    return found


def _matching(call: Call, pattern: str) -> list[tuple[Cell, list[Row]]]:
    """Raises NoHypervisorMatches."""
    answers = call.app.store.ask(lambda connection: store.page(connection, pattern=pattern), call.app.store.working)
    left_out(call, answers)
    found = list(answers)
    if not any(rows for _, rows in found):
        raise rules.NoHypervisorMatches(pattern=pattern)
    return found


def _locate(call: Call, ident: str) -> tuple[Cell, Row] | None:
    wanted: int | str | None = ident
    if not call.at_least(_UUIDS_SINCE):
        wanted = fields.row_number(ident) if ident.isascii() and ident.isdigit() else None
    if wanted is None:
        return None
    answers = call.app.store.ask(lambda connection: store.find(connection, wanted), call.app.store.working)
    for cell, found in answers:
        if found is not None:
            return cell, found
    answers.whole()
    return None


def _find(call: Call) -> tuple[Cell, Row]:
    """The node of the path. Raises HypervisorNotFound; InvalidInput for what is no UUID from 2.53."""
    ident = call.params["id"]
    if call.at_least(_UUIDS_SINCE) and not is_uuid(ident):
        raise InvalidInput(where="hypervisor_id", value=ident, reason="It must be a UUID")
    found = _locate(call, ident)
    if found is None:
        raise rules.HypervisorNotFound(hypervisor_id=ident)
    return found


def index(call: Call) -> Any:
    """Names and states."""
    return _list(call, BRIEF, "os-hypervisors")


def detail(call: Call) -> Any:
    """Everything."""
    return _list(call, FULL, "os-hypervisors/detail")


def show(call: Call) -> Any:
    """One node. Raises HypervisorNotFound."""
    cell, row = _find(call)
    return {"hypervisor": _documents(call, FULL, [(cell, [row])], servers=_with_servers(call))[0]}


def uptime(call: Call) -> Any:
    """How long the host has been up. Raises HypervisorNotFound, HypervisorHostDown, UptimeUnknown."""
    _cell, row = _find(call)
    view = View(call)
    if not view.services.is_up(row):
        raise rules.HypervisorHostDown(host=row["host"])
    if view.facts(row).get("uptime") is None:
        raise rules.UptimeUnknown(hypervisor_id=call.params["id"])
    return {"hypervisor": UPTIME.compile(call.version)(row, view)}


def search(call: Call) -> Any:
    """By a part of the name. Raises NoHypervisorMatches."""
    return {"hypervisors": _documents(call, BRIEF, _matching(call, call.params["id"]), servers=False)}


def servers(call: Call) -> Any:
    """Servers of nodes by a part of their name. Raises NoHypervisorMatches."""
    return {"hypervisors": _documents(call, BRIEF, _matching(call, call.params["id"]), servers=True)}


def statistics(call: Call) -> Any:
    """Sums over the nodes of enabled services."""
    view = View(call)
    totals: dict[str, int] = {"count": 0, **{name: 0 for name, _ in _USED}}

    def look(connection: Any) -> tuple[list[Row], dict[Place, Use]]:
        return [row for row in store.page(connection) if not row["disabled"]], store.use(connection)

    answers = call.app.store.ask(look, call.app.store.working)
    left_out(call, answers)
    for rows, use in answers.values():
        view.use.update(use)
        for row in rows:
            totals["count"] += 1
            for name, measure in _USED:
                totals[name] += measure(view.facts(row), view.used(row))
    return {"hypervisor_statistics": totals}


def _endpoint(path: str, handler: Any, rule: str, summary: str, **more: Any) -> Endpoint:
    return Endpoint(
        method="GET",
        path=_PATH + path,
        handler=handler,
        rule=_RULE + rule,
        strict_query=(2, _UUIDS_SINCE),
        summary=summary,
        **more,
    )


ENDPOINTS = (
    _endpoint("", index, "list", "List hypervisors", query=_LIST_QUERY),
    _endpoint("/detail", detail, "list-detail", "List hypervisors with details", query=_LIST_QUERY),
    _endpoint("/statistics", statistics, "statistics", "Sum up capacity", until=(2, 87)),
    _endpoint("/{id}", show, "show", "Show a hypervisor", query=_SHOW_QUERY),
    _endpoint("/{id}/search", search, "search", "Search hypervisors by name", until=(2, 52)),
    _endpoint("/{id}/servers", servers, "servers", "List servers of hypervisors", until=(2, 52)),
    _endpoint("/{id}/uptime", uptime, "uptime", "Show a hypervisor's uptime", until=(2, 87)),
)
