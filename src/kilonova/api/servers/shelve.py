"""``shelve``, ``shelveOffload`` and ``unshelve``."""

from typing import Any

from kilonova.api import fields
from kilonova.api.servers import finding
from kilonova.api.servers.create import check_destination
from kilonova.api.servers.create_image import image_of
from kilonova.domain import lifecycle
from kilonova.domain import server as states
from kilonova.kit.errors import Conflict
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import Field, Object, Schema
from kilonova.operations.shelve import Shelve
from kilonova.operations.unshelve import Unshelve

_RULE = "os_compute_api:os-shelve:"


class OnlyOffloaded(Conflict):
    """A server that is still on its host cannot be brought back elsewhere (409)."""

    template = "{field}: a server in state {state} is still on its host; only offloaded servers can go elsewhere"


def shelve(call: Call) -> None:
    """The image record is made at once with the caller's token, as that of createImage."""
    cell, row = finding.find(call, _RULE + "shelve")
    finding.unlocked(call, row)
    lifecycle.check("shelve", row["uuid"], row["vm_state"], row["task_state"])
    image_id = None
    if row["image_ref"]:
        image_id = call.app.images.create(call.context, image_of(row, f"{row['name']}-shelved", {})).id
    try:
        finding.acceptor(call).accept(call.context, cell, row, "shelve", Shelve(image_id))
    except Exception:
        if image_id is not None:
            call.app.images.delete(call.context, image_id)
        raise


def offload(call: Call) -> None:
    """Free the host."""
    finding.act(call, _RULE + "shelve_offload", "shelve_offload")


def unshelve(call: Call) -> None:
    """Anywhere, in a zone (from 2.77) or on a host (from 2.91)."""
    cell, row = finding.find(call, _RULE + "unshelve")
    finding.unlocked(call, row)
    body = (call.body or {}) if call.at_least(77) else {}
    if "host" in body:
        call.demand(_RULE + "unshelve_to_host", finding.target_of(row))
    lifecycle.check("unshelve", row["uuid"], row["vm_state"], row["task_state"])
    for field in body:
        if row["vm_state"] != states.SHELVED_OFFLOADED:
            raise OnlyOffloaded(field=field, state=row["vm_state"])
    check_destination(call, body.get("availability_zone"), {"host": body.get("host"), "node": None})
    values: dict[str, Any] = {}
    if "availability_zone" in body:
        values["pinned_zone"] = body["availability_zone"]
    zone = values.get("pinned_zone", row["pinned_zone"])
    command = Unshelve(zone=zone, host=body.get("host"))
    finding.acceptor(call).accept(call.context, cell, row, "unshelve", command, values=values)


def _places(zone: fields.Json, *more: Field) -> Any:
    return Object((Field(name="availability_zone", schema=zone), *more), rules={"minProperties": 1})


class _Destination(Object):
    """The value of ``unshelve``: ignored, then null or a zone, then null or a zone and a host."""

    def at(self, version: tuple[int, int]) -> fields.Json:
        """Its schema."""
        if version < (2, 77):
            return {}
        zone: fields.Json = {"type": "string"}
        if version < (2, 91):
            chosen = Object((Field(name="availability_zone", schema=zone, required=True),))
        else:
            chosen = _places(fields.nullable(zone), Field(name="host", schema={"type": "string"}))
        return {"oneOf": [chosen.at(version), {"type": "null"}]}

    def boundaries(self) -> set[tuple[int, int]]:
        """Versions at which it changes."""
        return {(2, 77), (2, 91)}


_PATH = "/servers/{server_id}/action"
ENDPOINTS = (
    Endpoint(
        method="POST",
        path=_PATH,
        action="shelve",
        handler=shelve,
        body=fields.ignored("shelve"),
        status=202,
        summary="Shelve a server",
    ),
    Endpoint(
        method="POST",
        path=_PATH,
        action="shelveOffload",
        handler=offload,
        body=fields.ignored("shelveOffload"),
        status=202,
        summary="Free the host of a shelved server",
    ),
    Endpoint(
        method="POST",
        path=_PATH,
        action="unshelve",
        handler=unshelve,
        body=Schema(Object((Field(name="unshelve", schema=_Destination(()), required=True),))),
        status=202,
        summary="Bring a shelved server back",
    ),
)
