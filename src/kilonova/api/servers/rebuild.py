"""``rebuild``: the same server from an image anew."""

from typing import Any

from kilonova.api import fields
from kilonova.api.servers import finding, image, views
from kilonova.api.servers.create import check_limits, key_columns, keypair_of, new_password
from kilonova.api.servers.schema import REBUILD, shortened
from kilonova.api.servers.show import document
from kilonova.domain.block_device import root_of
from kilonova.kit import codec
from kilonova.kit.http.endpoint import Call, Endpoint, Reply
from kilonova.operations.rebuild import Rebuild
from kilonova.store import block_devices, servers
from kilonova.store.cells import Cell

_RULE = "os_compute_api:servers:rebuild"
_CERTS_RULE = "os_compute_api:servers:rebuild:trusted_certs"
_COLUMNS = {
    "name": "name",
    "description": "description",
    "accessIPv4": "access_ip_v4",
    "accessIPv6": "access_ip_v6",
    "OS-DCF:diskConfig": "disk_config",
    "user_data": "user_data",
    "hostname": "hostname",
}


def rebuild(call: Call) -> Reply:
    """The reply shows the server as it is going to be, with its new password."""
    cell, row = finding.find(call, _RULE)
    finding.unlocked(call, row)
    body = call.body
    found, reimage = _image(call, cell, row, body)
    values = _values(call, body)
    password = body.get("adminPass") or new_password(call)
    command = Rebuild(
        admin_pass=password,
        image=found if reimage or found["id"] != row["image_ref"] else None,
        reimage=reimage,
        preserve_ephemeral=fields.truth(body.get("preserve_ephemeral", False)),
    )
    finding.acceptor(call).accept(call.context, cell, row, "rebuild", command, values=values)
    _cell, after = finding.find(call, _RULE, read=servers.get_with_service)
    shown = {**after, "image_ref": found["id"], "image": codec.text(found)}
    server = document(call, shown, views.REBUILT)
    if call.app.api.enable_instance_password:
        server["adminPass"] = password
    return Reply({"server": server}, headers={"Location": server["links"][0]["href"]})


def _image(call: Call, cell: Cell, row: Any, body: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    """What the row is to keep of the image, and what is to be written over a root volume. Raises ImageUnusable."""
    found = image.usable(call, image.id_of(body["imageRef"]))
    flavor = codec.loads(row["flavor"])
    if row["image_ref"]:
        image.check_size(found, {"memory_mb": flavor["ram"], "root_gb": flavor["disk"]})
        return found, None
    with cell.database.read() as connection:
        root = root_of(block_devices.of_server(connection, row["uuid"]))
    volume = call.app.volumes.get(call.context, root.volume_id if root else "")
    kept = {**found, "id": ""}
    if volume.image_metadata.get("image_id") == found["id"]:
        return kept, None
    if not call.at_least(93):
        raise image.ImageUnusable(reason="Unable to rebuild with a different image for a volume-backed server.")
    image.check_size(found, {"memory_mb": flavor["ram"], "root_gb": volume.size})
    return kept, found["id"]


def _values(call: Call, body: dict[str, Any]) -> dict[str, Any]:
    """Columns that the body changes."""
    check_limits(call, body)
    values = shortened({_COLUMNS[name]: value for name, value in body.items() if name in _COLUMNS})
    if "metadata" in body:
        values["metadata"] = codec.text(body["metadata"])
    if not call.at_least(57):
        files = body.get("personality")
        values["personality"] = codec.text(files) if files else None
    if "trusted_image_certificates" in body:
        certs = body["trusted_image_certificates"]
        call.demand(_CERTS_RULE, {"project_id": call.context.project_id})
        values["trusted_certs"] = codec.text(certs) if certs is not None else None
    if "key_name" in body:
        with call.app.store.api.read() as connection:
            name = body["key_name"]
            values |= key_columns(None if name is None else keypair_of(call, connection, name))
    return values


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/servers/{server_id}/action",
        action="rebuild",
        handler=rebuild,
        body=REBUILD,
        status=202,
        summary="Rebuild a server from an image",
    ),
)
