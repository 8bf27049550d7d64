"""Rebooting: soft asks the guest, hard switches it off and defines it anew."""

from dataclasses import dataclass

from kilonova.domain import server as states
from kilonova.operations.power import on_host, shutdown_timeout, spec_of
from kilonova.operations.work import Outcome, Work


@dataclass(frozen=True)
class Reboot:
    """The command."""

    hard: bool = False


def run(work: Work, command: Reboot) -> Outcome:
    """Running again."""
    server = work.server()
    arguments = {
        "spec": spec_of(work, server),
        "hard": command.hard,
        "timeout": shutdown_timeout(work, server),
    }
    return on_host(work, "reboot", arguments, states.ACTIVE)
