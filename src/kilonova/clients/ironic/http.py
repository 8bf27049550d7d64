"""Ironic's REST API v1."""

from kilonova.clients.ironic.contract import Row
from kilonova.clients.keystone.neighbour import Neighbour
from kilonova.kit.context import Context


class HttpNodes:
    """Implements ``contract.Nodes``."""

    def __init__(self, neighbour: Neighbour) -> None:
        self._neighbour = neighbour

    def all(self, context: Context) -> list[Row]:
        return list(self._neighbour.get("/v1/nodes/detail", context=context, as_user=True)["nodes"])

    def get(self, context: Context, node_id: str) -> Row:
        return dict(self._neighbour.get(f"/v1/nodes/{node_id}", context=context, as_user=True))

    def ports(self, context: Context, node_id: str) -> list[Row]:
        return list(self._neighbour.get(f"/v1/nodes/{node_id}/ports", context=context, as_user=True)["ports"])
