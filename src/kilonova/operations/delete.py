"""Deleting a server: whatever it has is given back before it is gone, and its quota last of all."""

from kilonova.operations import ports
from kilonova.operations.accepting import NoFields
from kilonova.operations.hosts import HostDown
from kilonova.operations.work import Outcome, Row, Work
from kilonova.store import server_groups as group_rows
from kilonova.store import server_mappings


def run(work: Work, command: NoFields) -> Outcome:
    """Guest, ports, allocations, quota, in this order; each is fine when there is nothing left to remove.

    So each may be repeated after the later ones, too, and their records wait for the end.
    """
    del command
    server = work.server()
    tools = work.tools
    if server["host"]:
        host = server["host"]
        work.step("host", lambda: _destroy(work, host), host=host, announce=True, repeatable=True)
    work.step("ports", lambda: ports.release(work, server), repeatable=True)
    work.step("allocations", lambda: tools.chooser.release(work.uuid), repeatable=True)
    work.step("quota", lambda: _give_back(work, server), repeatable=True)
    return Outcome(deleted=True)


def _destroy(work: Work, host: str) -> str:
    """A host that is down removes the guest itself when it comes back and finds the server deleted."""
    try:
        work.tools.hosts.ask(host, "destroy", {"uuid": work.uuid}, operation=work.id)
    except HostDown:
        return "the host is down; it will remove the guest when it is back"
    return "removed"


def _give_back(work: Work, server: Row) -> None:
    with work.tools.store.api.write() as connection:
        server_mappings.release(connection, work.uuid)
        if '"group"' in server["hints"]:  # a server gets into a group by this hint alone
            group_rows.remove_member(connection, work.uuid)
