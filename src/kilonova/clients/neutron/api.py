"""Neutron's REST documents, as rows. One implementation over HTTP, one in memory."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from kilonova.kit.context import Context

Row = dict[str, Any]
Query = Sequence[tuple[str, str]]


class NetworkApi(Protocol):
    """``resource`` is the plural with underscores: ``ports``, ``security_groups`` ….

    Errors are those of ``clients.keystone.errors`` with Neutron's own type in ``fields["code"]``.
    ``context``: whose eyes; None, or one without a token, is the service.
    """

    def rows(self, resource: str, query: Query = (), context: Context | None = None) -> list[Row]:
        """All rows that match; a key given several times means any of its values. No such resource: no rows."""

    def show(self, resource: str, name: str, query: Query = (), context: Context | None = None) -> Row:
        """Raises NotFound."""

    def create(self, resource: str, rows: Sequence[Mapping[str, Any]], context: Context | None = None) -> list[Row]:
        """All or none, in order."""

    def update(self, resource: str, name: str, changes: Mapping[str, Any], context: Context | None = None) -> Row:
        """Raises NotFound."""

    def activate(self, port_id: str, host: str) -> bool:
        """Let the port's inactive binding to ``host`` be the active one; False when there is none such."""

    def delete(self, resource: str, name: str, context: Context | None = None) -> bool:
        """False when there was none."""
