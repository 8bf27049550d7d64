"""Freezing a server in memory."""

from kilonova.domain import server as states
from kilonova.operations.accepting import NoFields
from kilonova.operations.power import on_host
from kilonova.operations.work import Outcome, Work


def run(work: Work, command: NoFields) -> Outcome:
    """The guest is paused."""
    del command
    return on_host(work, "pause", {"uuid": work.uuid}, states.PAUSED)
