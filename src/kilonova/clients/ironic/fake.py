"""Ironic in memory."""

from collections.abc import Sequence

from kilonova.clients.ironic.contract import Row
from kilonova.clients.keystone.errors import RemoteNotFound
from kilonova.kit.context import Context


class FakeNodes:
    """Implements ``contract.Nodes`` over given rows; the ports of a node are in its ``ports``."""

    def __init__(self, rows: Sequence[Row] = ()) -> None:
        self.rows = list(rows)

    def all(self, context: Context) -> list[Row]:
        del context
        return self.rows

    def get(self, context: Context, node_id: str) -> Row:
        for row in self.all(context):
            if row["uuid"] == node_id:
                return row
        raise RemoteNotFound(neighbour="Ironic", code="", reason=f"Node {node_id} could not be found.")

    def ports(self, context: Context, node_id: str) -> list[Row]:
        return list(self.get(context, node_id).get("ports", ()))
