"""``/servers/{server_id}/topology``: NUMA nodes of a guest. No guest of ours has any so far, so it says so."""

from typing import Any

from kilonova.api import fields
from kilonova.api.servers import finding
from kilonova.kit.http.endpoint import Call, Endpoint


def show(call: Call) -> Any:
    """No nodes, and pages of whatever size the host likes."""
    finding.find(call, "compute:server:topology:index")
    return {"nodes": [], "pagesize_kb": None}


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/servers/{server_id}/topology",
        handler=show,
        since=(2, 78),
        query=fields.no_query(),
        strict_query=(2, 78),
        summary="Show a guest's NUMA nodes",
    ),
)
