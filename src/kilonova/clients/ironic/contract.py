"""What the Compute API shows of Ironic: rows of its API v1, to look at."""

from typing import Any, Protocol

from kilonova.kit.context import Context

Row = dict[str, Any]


class Nodes(Protocol):
    """As the caller. Errors are those of ``clients.keystone.errors``."""

    def all(self, context: Context) -> list[Row]:
        """Every node with ``uuid``, ``provision_state``, ``properties``."""

    def get(self, context: Context, node_id: str) -> Row:
        """One node, with ``instance_uuid`` too. Raises NotFound."""

    def ports(self, context: Context, node_id: str) -> list[Row]:
        """Its ports (``address``). Raises NotFound."""
