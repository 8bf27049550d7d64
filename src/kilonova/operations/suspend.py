"""Saving a server's memory to disk and switching it off."""

from kilonova.domain import server as states
from kilonova.operations.accepting import NoFields
from kilonova.operations.power import on_host
from kilonova.operations.work import Outcome, Work


def run(work: Work, command: NoFields) -> Outcome:
    """The guest is saved."""
    del command
    return on_host(work, "suspend", {"uuid": work.uuid}, states.SUSPENDED)
