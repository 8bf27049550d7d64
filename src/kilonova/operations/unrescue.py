"""Back from rescue to the guest's own disks."""

from kilonova.domain import server as states
from kilonova.operations.accepting import NoFields
from kilonova.operations.power import on_host, spec_of
from kilonova.operations.work import Outcome, Work


def run(work: Work, command: NoFields) -> Outcome:
    """Running from its own root disk."""
    del command
    return on_host(work, "unrescue", {"spec": spec_of(work)}, states.ACTIVE)
