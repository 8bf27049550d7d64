"""``/servers/{server_id}/os-server-password``: what the guest stored through the metadata service."""

from typing import Any

from kilonova.api import fields
from kilonova.api.microversions import STRICT_ALL
from kilonova.api.servers import finding
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.store import server_passwords

_PATH = "/servers/{server_id}/os-server-password"


def show(call: Call) -> Any:
    """The password as the guest encrypted it; empty when it stored none."""
    cell, row = finding.find(call, "os_compute_api:os-server-password:show")
    with cell.database.read() as connection:
        return {"password": server_passwords.get(connection, row["uuid"])}


def clear(call: Call) -> None:
    """Forget it, so that the guest may store another; the guest's own password stays."""
    cell, row = finding.find(call, "os_compute_api:os-server-password:clear")
    with cell.database.write() as connection:
        server_passwords.clear(connection, row["uuid"])


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=_PATH,
        handler=show,
        query=fields.no_query(),
        strict_query=STRICT_ALL,
        summary="Show the guest's password",
    ),
    Endpoint(method="DELETE", path=_PATH, handler=clear, status=204, summary="Forget the guest's password"),
)
