"""Powering a server off: the guest is asked first and switched off when it does not obey in time."""

from kilonova.domain import server as states
from kilonova.operations.accepting import NoFields
from kilonova.operations.attach_share import turn
from kilonova.operations.power import on_host, shutdown_timeout
from kilonova.operations.work import Outcome, Work


def run(work: Work, command: NoFields) -> Outcome:
    """Off, whatever the guest thinks of it."""
    del command
    server = work.server()
    outcome = on_host(work, "stop", {"uuid": work.uuid, "timeout": shutdown_timeout(work, server)}, states.STOPPED)
    turn(work, "active", "inactive")
    return outcome
