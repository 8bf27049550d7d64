"""Powering a stopped server on."""

from kilonova.domain import server as states
from kilonova.operations.accepting import NoFields
from kilonova.operations.attach_share import turn
from kilonova.operations.power import on_host, spec_of
from kilonova.operations.work import Outcome, Work


def run(work: Work, command: NoFields) -> Outcome:
    """The guest is defined anew from the row, so that what changed while it was off is taken up."""
    del command
    outcome = on_host(work, "start", {"spec": spec_of(work)}, states.ACTIVE)
    turn(work, "inactive", "active")
    return outcome
