"""Restoring a server that was deleted for a while. Its quota was taken when this was accepted."""

from kilonova.domain import server as states
from kilonova.operations.accepting import NoFields
from kilonova.operations.delete import give_back_quota
from kilonova.operations.power import NotOnHost, spec_of
from kilonova.operations.work import Outcome, Work


def run(work: Work, command: NoFields) -> Outcome:
    """Running as if nothing had been; a restore that fails counts no quota."""
    del command
    server = work.server()
    work.on_undo("quota", lambda: give_back_quota(work))
    host = server["host"]
    if not host:
        raise NotOnHost(uuid=work.uuid)
    # A hard reboot starts a guest from whatever state it was left in.
    arguments = {"spec": spec_of(work, server), "hard": True, "timeout": 0}
    state = work.step(
        "host", lambda: work.tools.hosts.ask(host, "reboot", arguments, operation=work.id), host=host, announce=True
    )
    values = {"power_state": state["power"], "deleted_at": None, "terminated_at": None}
    return Outcome(vm_state=states.ACTIVE, values=values)
