"""``/os-hosts``: hosts and what they run, until hypervisors and services took their place."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from kilonova.api import fields
from kilonova.api.servers.gathering import left_out
from kilonova.api.services import view_of, write
from kilonova.domain.service import COMPUTE, ComputeHostNotFound
from kilonova.kit import codec
from kilonova.kit.db.rows import Row
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import Field
from kilonova.store import compute_nodes
from kilonova.store import services as store
from kilonova.store.cells import Cell

_UNTIL = (2, 42)
_PATH = "/os-hosts"
_ONE = _PATH + "/{host_name}"
_RULE = "os_compute_api:os-hosts:"
_SWITCH: Any = {"enum": ["enable", "disable", "Enable", "Disable", "ENABLE", "DISABLE"]}
_UPDATE = fields.body(
    Field(name="status", schema=_SWITCH),
    Field(name="maintenance_mode", schema=_SWITCH),
    rules={"minProperties": 1},
)
_QUERY = fields.query("zone", "service")


def index(call: Call) -> Any:
    """Every service with its host and zone; an empty filter asks for nothing."""
    view, zone, kind = view_of(call), call.one("zone"), call.one("service")
    answers = call.app.store.ask(store.page)
    left_out(call, answers)
    found = [
        {"host_name": row["host"], "service": row["binary"].removeprefix("nova-"), "zone": view.zone(row)}
        for rows in answers.values()
        for row in rows
    ]
    return {"hosts": [h for h in found if zone in (None, "", h["zone"]) and kind in (None, "", h["service"])]}


def _find(call: Call) -> tuple[Cell, Row]:
    name = call.params["host_name"]
    answers = call.app.store.ask(lambda connection: store.page(connection, host=name, binary=COMPUTE))
    for cell, rows in answers:
        if rows:
            return cell, rows[0]
    answers.whole()
    raise ComputeHostNotFound(host=name)


def show(call: Call) -> Any:
    """What the host has, what is used, what its servers may use at most, and the same for each project."""
    cell, row = _find(call)
    host = row["host"]
    with cell.database.read() as connection:
        nodes = [codec.loads(node["facts"]) for node in compute_nodes.of_host(connection, host)]
        projects = compute_nodes.use_by_project(connection, host)
    entries = [
        _resource(host, "(total)", _sum(nodes, "vcpus", "memory_mb", "disk_gb")),
        _resource(host, "(used_now)", _sum(nodes, "vcpus_used", "memory_used_mb", "disk_used_gb")),
    ]
    most = tuple(sum(use[i] for use in projects.values()) for i in range(3))
    entries.append(_resource(host, "(used_max)", most))
    entries += [_resource(host, project, use) for project, use in projects.items()]
    return {"host": entries}


def _sum(nodes: list[Mapping[str, Any]], *names: str) -> tuple[int, ...]:
    totals: dict[str, int] = defaultdict(int)
    for node in nodes:
        for name in names:
            totals[name] += int(node.get(name) or 0)
    return tuple(totals[name] for name in names)


def _resource(host: str, project: str, amounts: tuple[int, ...]) -> dict[str, Any]:
    cpu, memory, disk = amounts
    return {"resource": {"host": host, "project": project, "cpu": cpu, "memory_mb": memory, "disk_gb": disk}}


def update(call: Call) -> Any:
    """Take the host out of scheduling, or in again; maintenance is for the hypervisor to offer (501)."""
    cell, row = _find(call)
    wanted = {key: str(value).lower() for key, value in call.body.items()}
    reply = {"host": row["host"]}
    if "maintenance_mode" in wanted:
        on = wanted["maintenance_mode"] == "enable"
        reply["maintenance_mode"] = call.app.hosts.once(row["host"], "maintenance", {"on": on})
    if "status" in wanted:
        disabled = wanted["status"] == "disable"
        write(call, cell, row, {"disabled": disabled, "disabled_reason": None})
        reply["status"] = "disabled" if disabled else "enabled"
    return reply


def _power(action: str) -> Callable[[Call], Any]:
    def handler(call: Call) -> Any:
        _cell, row = _find(call)
        done = call.app.hosts.once(row["host"], "host_power", {"action": action})
        return {"host": row["host"], "power_action": done}

    return handler


def _endpoint(method: str, path: str, handler: Any, action: str, summary: str, **more: Any) -> Endpoint:
    return Endpoint(
        method=method, path=path, handler=handler, rule=_RULE + action, until=_UNTIL, summary=summary, **more
    )


ENDPOINTS = (
    _endpoint("GET", _PATH, index, "list", "List hosts", query=_QUERY),
    _endpoint("GET", _ONE, show, "show", "Show a host"),
    _endpoint("PUT", _ONE, update, "update", "Enable or disable a host", body=_UPDATE),
    _endpoint("GET", _ONE + "/startup", _power("startup"), "start", "Switch a host on"),
    _endpoint("GET", _ONE + "/shutdown", _power("shutdown"), "shutdown", "Switch a host off"),
    _endpoint("GET", _ONE + "/reboot", _power("reboot"), "reboot", "Reboot a host"),
)
