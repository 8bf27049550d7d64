"""Rebuilding: new disks from an image on the same host; id, ports, allocations and volumes stay."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kilonova.domain import server as states
from kilonova.kit import codec
from kilonova.operations import volumes
from kilonova.operations.build import server_request, sketch_of
from kilonova.operations.guests import specification
from kilonova.operations.power import NotOnHost
from kilonova.operations.work import Outcome, Refused, Row, StepFailed, Work
from kilonova.store import server_mappings


@dataclass(frozen=True, kw_only=True)
class Rebuild:
    """The command; names, metadata and the like are in the server's row since the accept."""

    admin_pass: str | None = None
    image: Mapping[str, Any] | None = None
    """Facts of another image than the present one."""
    preserve_ephemeral: bool = False
    reimage: str | None = None
    """The image to write over the root volume."""


def run(work: Work, command: Rebuild) -> Outcome:
    """Running again, or off if it was off. An image that its host cannot run changes nothing."""
    server = work.server()
    host = server["host"]
    if not host:
        raise NotOnHost(uuid=work.uuid)
    if command.image is not None:
        server = _with_image(work, server, command.image)
    with_volumes = command.reimage is not None
    if command.reimage is not None:
        _write_root_volume(work, host, command)
    arguments = {
        "spec": specification(work, server, admin_pass=command.admin_pass),
        "keep_ephemeral": command.preserve_ephemeral,
    }

    def rebuild() -> Any:
        return work.tools.hosts.ask(host, "rebuild", arguments, operation=work.id)

    state = work.step("host", rebuild, host=host, announce=True, save=lambda _state: {"task_state": "rebuild_spawning"})
    if with_volumes:
        work.step("attached", lambda: volumes.complete_all(work))
    if server["vm_state"] == states.STOPPED:
        stop = {"uuid": work.uuid, "timeout": 0}
        state = work.step("power_off", lambda: work.tools.hosts.ask(host, "stop", stop, operation=work.id), host=host)
    after = states.STOPPED if server["vm_state"] == states.STOPPED else states.ACTIVE
    return Outcome(vm_state=after, values={"power_state": state["power"], "launched_at": work.now(), "fault": None})


def _with_image(work: Work, server: Row, image: Mapping[str, Any]) -> Row:
    """The server's image is the new one from here on. Raises Refused when its host may not run that."""
    columns = {"image_ref": image["id"], "image": codec.text(image)}
    changed = {**server, **columns}

    def check() -> None:
        work.tools.chooser.check_rebuild(server_request(changed), server["host"], server["node"])
        text = sketch_of(changed)
        work.tools.store.api.transact(lambda connection: server_mappings.sketch(connection, work.uuid, text))

    try:
        work.step("schedule", check, save=lambda _nothing: columns)
    except StepFailed as error:
        raise Refused(reason=str(error)) from error
    return changed


def _write_root_volume(work: Work, host: str, command: Rebuild) -> None:
    """The volume service writes the image, while no host has the volumes."""
    image_id, keep = str(command.reimage), command.preserve_ephemeral
    call, arguments = ("stop", {"uuid": work.uuid, "timeout": 0}) if keep else ("destroy", {"uuid": work.uuid})
    work.step("guest", lambda: work.tools.hosts.ask(host, call, arguments, operation=work.id), host=host)
    work.step("disconnected", lambda: volumes.disconnect_all(work))
    work.step("reimaged", lambda: volumes.reimage_root(work, image_id), announce=True)
    work.step("connected", lambda: volumes.connect_all(work, host))
