"""Reverting a resize or migration: the server is again what and where it was."""

from kilonova.operations import ports
from kilonova.operations.confirm_resize import Settle
from kilonova.operations.guests import network_columns
from kilonova.operations.moving import KEPT, Move
from kilonova.operations.work import Outcome, Row, Work


def run(work: Work, command: Settle) -> Outcome:
    """Running or stopped, as it was."""
    move = Move(work, command.migration)
    move.begin()
    _leave(work, move)
    move.bring_volumes_home()
    nics = work.step(
        "ports", lambda: move.bound_to(move.source), save=lambda nics: {**_columns(move), **network_columns(nics)}
    )
    before = {**move.server, **network_columns(nics)}
    arguments = {"spec": move.spec(before, held=ports.awaited(work, nics)), "token": move.uuid, "power": move.ran}
    ask = work.tools.hosts.ask
    state = work.step(
        "host",
        lambda: ask(move.source, "take_back", arguments, operation=work.id),
        host=move.source,
        announce=True,
    )
    work.step("allocations", move.take_claims_back)
    work.step("quota", move.count_back)
    if move.ran:
        nics, state = ports.let_run(work, before, nics, state)
    move.note(status="reverted")
    return Outcome(vm_state=move.before["vm_state"], values={"power_state": state["power"], **network_columns(nics)})


def _leave(work: Work, move: Move) -> None:
    """A destination that is down removes the guest when it comes back and finds that it lives elsewhere."""
    host = move.record["dest_compute"]
    arguments = {"uuid": work.uuid, "token": move.uuid}
    work.step("destination", lambda: move.tell(host, "abandon", arguments), host=host)


def _columns(move: Move) -> Row:
    return {name: move.before[name] for name in KEPT if name not in {"vm_state", "power_state"}}
