"""Bringing a server up elsewhere because its host is lost.

Its disks are made anew from the image, unless the destination sees them on shared storage. What the lost host still
has is removed by its own agent when it comes back, and only then is the claim there given up.
"""

from dataclasses import dataclass

from kilonova.domain import server as states
from kilonova.operations import ports, volumes
from kilonova.operations.guests import network_columns
from kilonova.operations.moving import Move
from kilonova.operations.work import Outcome, Row, Work


@dataclass(frozen=True, kw_only=True)
class Evacuate:
    """The command."""

    migration: str
    host: str | None = None
    forced: bool = False
    stays_off: bool = False
    """The server ends stopped (from 2.95)."""
    admin_pass: str | None = None


def run(work: Work, command: Evacuate) -> Outcome:
    """Running elsewhere; stopped when it was, or when that is asked for."""
    move = Move(work, command.migration)
    move.begin(failed="failed")
    placed = move.place(
        move.server,
        "rebuild_spawning",
        requested_host=command.host,
        forced=command.forced,
        ignore_hosts=frozenset({move.source}),
    )
    move.clear_on_undo(placed["host"])
    move.bring_volumes(placed["host"])
    nics = move.rebind(placed, {})
    after: Row = {**move.server, "host": placed["host"], "node": placed["node"], **network_columns(nics)}
    on = move.ran and not command.stays_off
    spec = move.spec(after, admin_pass=command.admin_pass, held=ports.awaited(work, nics))
    arguments = {"spec": spec, "token": move.uuid, "power": on}
    state = work.step("host", lambda: move.ask(placed["host"], "revive", arguments), host=placed["host"], announce=True)
    if on:
        nics, state = ports.let_run(work, after, nics, state)
    move.use_volumes(volumes.settle)
    move.note(status="done")
    values = {"power_state": state["power"], "launched_at": work.now(), "fault": None, **network_columns(nics)}
    return Outcome(vm_state=states.ACTIVE if on else states.STOPPED, values=values)
