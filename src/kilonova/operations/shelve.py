"""Shelving: the root disk becomes an image and the guest is off; offloading then frees its host.

An offloaded server has no host and no allocations, but keeps its ports (unbound), its volumes and its quota.
``[DEFAULT] shelved_offload_time`` says when that comes: at once, after a while (the sweep here), or never.
"""

from dataclasses import dataclass
from typing import Any

from kilonova.domain import server as states
from kilonova.domain.power import PowerState
from kilonova.operations import volumes
from kilonova.operations.accepting import Acceptor, NoFields, accept_idle
from kilonova.operations.delete import destroy_on
from kilonova.operations.guests import devices_of
from kilonova.operations.power import NotOnHost, shutdown_timeout, spec_of
from kilonova.operations.work import Outcome, Row, Tools, Work

_OFFLOAD_STEP = "compute_shelve_offload_instance"
_STARTED = (states.ACTIVE, states.PAUSED)


@dataclass(frozen=True)
class Shelve:
    """The command."""

    image_id: str | None = None
    """The queued image for the root disk; None for a server whose root disk is a volume."""


def run(work: Work, command: Shelve) -> Outcome:
    """Off, its root disk an image; offloaded as well when that is to come at once."""
    server = work.server()
    host = server["host"]
    if not host:
        raise NotOnHost(uuid=work.uuid)
    if server["vm_state"] in _STARTED:
        _switch_off(work, server, host)
    if command.image_id is not None:
        _make_image(work, host, command.image_id)
    shelved = {
        "power_state": int(PowerState.SHUTDOWN),
        "shelved_at": work.now(),
        "shelved_image": command.image_id,
    }
    # Without an image there is nothing on the host to come back to sooner.
    if work.tools.options.shelved_offload_time == 0 or command.image_id is None:
        return Outcome(vm_state=states.SHELVED_OFFLOADED, values={**shelved, **offload(work, server)})
    return Outcome(vm_state=states.SHELVED, values=shelved)


def _switch_off(work: Work, server: Row, host: str) -> None:
    stop = {"uuid": work.uuid, "timeout": shutdown_timeout(work, server)}

    def start() -> None:
        work.tools.hosts.ask(host, "start", {"spec": spec_of(work, server)}, operation=f"{work.id}:undo")

    work.step(
        "power_off",
        lambda: work.tools.hosts.ask(host, "stop", stop, operation=work.id),
        undo=start,
        save=lambda _state: {"task_state": "shelving_image_uploading"},
    )


def _make_image(work: Work, host: str, image_id: str) -> None:
    arguments = {"uuid": work.uuid, "image_id": image_id}
    work.step(
        "host",
        lambda: work.tools.hosts.ask(host, "snapshot", arguments, operation=work.id),
        undo=lambda: work.tools.images.delete(None, image_id),
        host=host,
        announce=True,
        save=lambda _nothing: {"task_state": "shelving_offloading"},
    )


def run_offload(work: Work, command: NoFields) -> Outcome:
    """Free the host of a shelved server."""
    del command
    return Outcome(vm_state=states.SHELVED_OFFLOADED, values=offload(work, work.server()))


def offload(work: Work, server: Row) -> dict[str, Any]:
    """Guest, port bindings and allocations go; the columns that say so."""
    host = server["host"]
    if host:
        work.step(_OFFLOAD_STEP, lambda: destroy_on(work, host), host=host, announce=True)
    if devices_of(work, work.uuid):
        work.step("volumes", lambda: volumes.disconnect_all(work))
    work.step("unbind", lambda: work.tools.networks.unbind(work.uuid))
    work.step("allocations", lambda: work.tools.chooser.release(work.uuid))
    return {"host": None, "node": None}


def offload_due(tools: Tools, acceptor: Acceptor) -> int:
    """Offload the servers that have been shelved for long enough; returns how many."""
    after = tools.options.shelved_offload_time
    return accept_idle(tools.store, acceptor, "shelve_offload", states.SHELVED, after)
