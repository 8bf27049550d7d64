"""``rescue`` and ``unrescue``."""

from collections.abc import Mapping
from typing import Any

from kilonova.api import fields
from kilonova.api.servers import finding, image
from kilonova.api.servers.create import new_password
from kilonova.domain import lifecycle
from kilonova.kit import codec
from kilonova.kit.errors import Invalid
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import Field, Object, Schema
from kilonova.operations.rescue import Rescue

_RULE = "os_compute_api:os-rescue"


def rescue(call: Call) -> Any:
    """Boot from ``rescue_image_ref``, else from what the server itself was made of."""
    cell, row = finding.find(call, _RULE)
    finding.unlocked(call, row)
    lifecycle.check("rescue", row["uuid"], row["vm_state"], row["task_state"])
    body = call.body or {}
    password = body.get("adminPass") or new_password(call)
    found = image.usable(call, _image_id(row, body))
    if not row["image_ref"] and not (call.at_least(87) and _is_stable(found)):
        raise Invalid(f"Instance {row['uuid']} cannot be rescued: Cannot rescue a volume-backed instance")
    command = Rescue(admin_pass=password, image=found, chosen="rescue_image_ref" in body)
    finding.acceptor(call).accept(call.context, cell, row, "rescue", command)
    return {"adminPass": password} if call.app.api.enable_instance_password else {}


def _image_id(row: Any, body: dict[str, Any]) -> str:
    chosen = body.get("rescue_image_ref")
    if chosen is None:
        own = codec.loads(row["image"]).get("properties", {}) if row["image"] else {}
        chosen = own.get("base_image_ref") or row["image_ref"]
    if not chosen:
        raise Invalid("rescue_image_ref: the server has no image of its own; name one")
    return image.id_of(chosen)


def _is_stable(found: Mapping[str, Any]) -> bool:
    """The image asks for device names that stay, without which a root volume could not be told from the others."""
    return bool({"hw_rescue_device", "hw_rescue_bus"} & found["properties"].keys())


def unrescue(call: Call) -> None:
    """Back to normal."""
    finding.act(call, "os_compute_api:os-unrescue", "unrescue")


_BODY = Schema(
    Object(
        (
            Field(
                name="rescue",
                required=True,
                schema={
                    "type": ["object", "null"],
                    "properties": {"adminPass": {"type": "string"}, "rescue_image_ref": fields.UUID},
                    "additionalProperties": False,
                },
            ),
        )
    )
)
_PATH = "/servers/{server_id}/action"
ENDPOINTS = (
    Endpoint(method="POST", path=_PATH, action="rescue", handler=rescue, body=_BODY, summary="Rescue a server"),
    Endpoint(
        method="POST",
        path=_PATH,
        action="unrescue",
        handler=unrescue,
        body=fields.ignored("unrescue"),
        status=202,
        summary="End a rescue",
    ),
)
