"""Letting a paused server run on."""

from kilonova.domain import server as states
from kilonova.operations.accepting import NoFields
from kilonova.operations.power import on_host
from kilonova.operations.work import Outcome, Work


def run(work: Work, command: NoFields) -> Outcome:
    """The guest is running again."""
    del command
    return on_host(work, "unpause", {"uuid": work.uuid}, states.ACTIVE)
