"""Bringing a suspended server back with its memory."""

from kilonova.domain import server as states
from kilonova.operations.accepting import NoFields
from kilonova.operations.power import on_host, spec_of
from kilonova.operations.work import Outcome, Work


def run(work: Work, command: NoFields) -> Outcome:
    """Running where it was."""
    del command
    return on_host(work, "resume", {"spec": spec_of(work)}, states.ACTIVE)
