"""``/servers/{server_id}/ips``."""

from typing import Any

from kilonova.api import fields
from kilonova.api.microversions import STRICT_ALL
from kilonova.api.servers import finding
from kilonova.kit import codec
from kilonova.kit.errors import NotFound
from kilonova.kit.http.endpoint import Call, Endpoint


class LabelNotFound(NotFound):
    """The server is on no network of this name."""

    template = "Network {label} could not be found for server {uuid}"


def _plain(entries: Any) -> list[dict[str, Any]]:
    return [{"version": entry["version"], "addr": entry["addr"]} for entry in entries]


def index(call: Call) -> Any:
    """Addresses by network."""
    _cell, row = finding.find(call, "os_compute_api:ips:index")
    return {"addresses": {label: _plain(entries) for label, entries in codec.loads(row["addresses"]).items()}}


def show(call: Call) -> Any:
    """Addresses on one network."""
    _cell, row = finding.find(call, "os_compute_api:ips:show")
    label = call.params["label"]
    found = codec.loads(row["addresses"])
    if label not in found:
        raise LabelNotFound(label=label, uuid=row["uuid"])
    return {label: _plain(found[label])}


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/servers/{server_id}/ips",
        handler=index,
        query=fields.no_query(),
        strict_query=STRICT_ALL,
        summary="List addresses",
    ),
    Endpoint(
        method="GET",
        path="/servers/{server_id}/ips/{label}",
        handler=show,
        query=fields.no_query(),
        strict_query=STRICT_ALL,
        summary="Addresses on a network",
    ),
)
