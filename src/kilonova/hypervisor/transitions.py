"""Which power call is allowed in which power state: one table that every driver obeys."""

from dataclasses import dataclass

from kilonova.domain.power import PowerState
from kilonova.hypervisor.contracts import GuestBusy

RUNNING, PAUSED, OFF = PowerState.RUNNING, PowerState.PAUSED, PowerState.SHUTDOWN
CRASHED, SUSPENDED = PowerState.CRASHED, PowerState.SUSPENDED


@dataclass(frozen=True, slots=True)
class Rule:
    """``done``: states in which nothing is left to do; ``allowed``: states from which the call acts."""

    done: frozenset[PowerState]
    allowed: frozenset[PowerState]


def _rule(done: set[PowerState], allowed: set[PowerState]) -> Rule:
    return Rule(frozenset(done), frozenset(allowed))


RULES = {
    "start": _rule({RUNNING}, {OFF, CRASHED}),
    "stop": _rule({OFF}, {RUNNING, PAUSED, CRASHED}),
    "reboot_soft": _rule(set(), {RUNNING}),
    "reboot_hard": _rule(set(), {RUNNING, PAUSED, OFF, CRASHED, SUSPENDED}),
    "pause": _rule({PAUSED}, {RUNNING}),
    "unpause": _rule({RUNNING}, {PAUSED}),
    "suspend": _rule({SUSPENDED}, {RUNNING, PAUSED}),
    "resume": _rule({RUNNING}, {SUSPENDED}),
    "console": _rule(set(), {RUNNING, PAUSED}),
    "diagnostics": _rule(set(), {RUNNING, PAUSED}),
    "inject_nmi": _rule(set(), {RUNNING, PAUSED, CRASHED}),
    "set_password": _rule(set(), {RUNNING}),
    "snapshot_volume": _rule(set(), {RUNNING, PAUSED}),
    "merge_volume": _rule(set(), {RUNNING, PAUSED}),
}


def must_act(call: str, uuid: str, state: PowerState) -> bool:
    """True when ``call`` has something to do, False when the guest is already there; raises GuestBusy."""
    rule = RULES[call]
    if state in rule.done:
        return False
    if state in rule.allowed:
        return True
    wanted = " or ".join(sorted(s.name.lower() for s in rule.allowed | rule.done))
    raise GuestBusy(uuid=uuid, state=state.name.lower(), call=call.replace("_", " "), wanted=wanted)
