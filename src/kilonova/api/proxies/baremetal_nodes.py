"""``/os-baremetal-nodes``: Ironic's nodes, to look at only."""

from collections.abc import Mapping
from typing import Any

from kilonova.api.microversions import PROXIES_UNTIL
from kilonova.clients.keystone.errors import NoEndpoint, RemoteNotFound
from kilonova.kit.errors import Invalid, NotFound, Unsupported
from kilonova.kit.http.endpoint import Call, Endpoint

_PATH = "/os-baremetal-nodes"
_ONE = _PATH + "/{node_id}"
_RULE = "os_compute_api:os-baremetal-nodes:"
Row = Mapping[str, Any]


class NodeNotFound(NotFound):
    """Ironic has no such node."""

    template = "Node {node_id} could not be found."


class NoBareMetal(Unsupported):
    """There is no Ironic."""

    template = "There is no bare metal service here"


def _node(row: Row) -> dict[str, Any]:
    properties = row.get("properties") or {}
    return {
        "id": row["uuid"],
        "interfaces": [],
        "host": "IRONIC MANAGED",
        "task_state": row.get("provision_state"),
        "cpus": str(properties.get("cpus", 0)),
        "memory_mb": str(properties.get("memory_mb", 0)),
        "disk_gb": str(properties.get("local_gb", 0)),
    }


def _nodes(call: Call) -> Any:
    if call.app.nodes is None:
        raise NoBareMetal
    return call.app.nodes


def index(call: Call) -> Any:
    """All nodes."""
    try:
        return {"nodes": [_node(row) for row in _nodes(call).all(call.context)]}
    except NoEndpoint:
        raise NoBareMetal from None


def show(call: Call) -> Any:
    """One node, with the MAC addresses of its ports and its server."""
    node_id, nodes = call.params["node_id"], _nodes(call)
    try:
        row = nodes.get(call.context, node_id)
        ports = nodes.ports(call.context, node_id)
    except RemoteNotFound:
        raise NodeNotFound(node_id=node_id) from None
    except NoEndpoint:
        raise NoBareMetal from None
    interfaces = [{"address": port["address"]} for port in ports]
    return {"node": {**_node(row), "instance_uuid": row.get("instance_uuid"), "interfaces": interfaces}}


def refuse(_call: Call) -> None:
    """Raises Invalid: nodes are made in Ironic itself."""
    raise Invalid("Command Not supported. Please use Ironic command to perform this action.")


def _endpoint(method: str, path: str, handler: Any, summary: str, **more: Any) -> Endpoint:
    return Endpoint(method=method, path=path, handler=handler, until=PROXIES_UNTIL, summary=summary, **more)


ENDPOINTS = (
    _endpoint("GET", _PATH, index, "List bare metal nodes", rule=_RULE + "list"),
    _endpoint("GET", _ONE, show, "Show a bare metal node", rule=_RULE + "show"),
    _endpoint("POST", _PATH, refuse, "Refused: create a bare metal node"),
    _endpoint("DELETE", _ONE, refuse, "Refused: delete a bare metal node"),
    *(
        _endpoint("POST", _ONE + "/action", refuse, "Refused: change a bare metal node", action=action)
        for action in ("add_interface", "remove_interface")
    ),
)
