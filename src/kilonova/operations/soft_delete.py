"""Deleting for a while: the guest is off and out of the quota, and can be restored until it is reclaimed.

``[DEFAULT] reclaim_instance_interval`` says how long; the sweep here deletes for good what is older.
"""

from kilonova.domain import server as states
from kilonova.domain.power import PowerState
from kilonova.operations.accepting import Acceptor, NoFields, accept_idle
from kilonova.operations.delete import give_back_quota
from kilonova.operations.hosts import HostDown
from kilonova.operations.work import Outcome, Tools, Work


def run(work: Work, command: NoFields) -> Outcome:
    """Off and counted no more; everything else stays."""
    del command
    host = work.server()["host"]
    if host:
        work.step("host", lambda: _switch_off(work, host), host=host, announce=True)
    work.step("quota", lambda: give_back_quota(work))
    now = work.now()
    return Outcome(
        vm_state=states.SOFT_DELETED,
        values={"power_state": int(PowerState.SHUTDOWN), "deleted_at": now, "terminated_at": now},
    )


def _switch_off(work: Work, host: str) -> str:
    """A suspended guest is off already; one on a host that is down goes when the server is deleted for good."""
    try:
        state = work.tools.hosts.ask(host, "state", {"uuid": work.uuid}, operation=work.id)
        if state["power"] in (PowerState.SHUTDOWN, PowerState.SUSPENDED):
            return "it was off"
        work.tools.hosts.ask(host, "stop", {"uuid": work.uuid, "timeout": 0}, operation=work.id)
    except HostDown:
        return "the host is down"
    return "switched off"


def reclaim(tools: Tools, acceptor: Acceptor) -> int:
    """Delete for good the servers that were deleted longer ago than the option says; returns how many."""
    return accept_idle(tools.store, acceptor, "delete", states.SOFT_DELETED, tools.options.reclaim_instance_interval)
