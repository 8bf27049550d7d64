"""Confirming a resize or migration: what the source still keeps goes."""

from dataclasses import dataclass

from kilonova.domain import server as states
from kilonova.domain.power import PowerState
from kilonova.operations import volumes
from kilonova.operations.moving import Move
from kilonova.operations.work import Outcome, Work


@dataclass(frozen=True, kw_only=True)
class Settle:
    """The command of ``confirm_resize`` and ``revert_resize``."""

    migration: str


def run(work: Work, command: Settle) -> Outcome:
    """Active, or stopped when its guest is off."""
    move = Move(work, command.migration)
    server = work.server()
    move.begin()
    work.step("host", lambda: move.tell(move.source, "let_go", {"uuid": work.uuid}), host=move.source, announce=True)
    move.use_volumes(volumes.settle)
    work.step("allocations", move.settle_claims)
    work.step("quota", lambda: move.recount(server, sketch=True))
    move.note(status="confirmed")
    off = server["power_state"] == PowerState.SHUTDOWN
    return Outcome(vm_state=states.STOPPED if off else states.ACTIVE)
