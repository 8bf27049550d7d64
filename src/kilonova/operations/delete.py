"""Deleting a server: whatever it has is given back before it is gone, and its quota last of all."""

import contextlib
import logging

from kilonova.domain.migration import OPEN, UNSETTLED
from kilonova.kit.errors import KilonovaError
from kilonova.operations import attach_share, ports, volumes
from kilonova.operations.accepting import NoFields
from kilonova.operations.guests import devices_of
from kilonova.operations.hosts import HostDown
from kilonova.operations.work import TRANSIENT, Outcome, Row, Work
from kilonova.store import moves, server_mappings
from kilonova.store import server_groups as group_rows

LOG = logging.getLogger(__name__)


def run(work: Work, command: NoFields) -> Outcome:
    """Guest, volumes, ports, allocations, quota, in this order; each is fine when there is nothing left to remove.

    So each may be repeated after the later ones, too, and their records wait for the end.
    """
    del command
    server = work.server()
    tools = work.tools
    work.step("moves", lambda: _end_moves(work), repeatable=True)
    if server["host"]:
        host = server["host"]
        work.step("host", lambda: destroy_on(work, host), host=host, announce=True, repeatable=True)
    if devices_of(work, work.uuid):
        work.step("volumes", lambda: volumes.give_back(work), repeatable=True)
    if found := attach_share.all_of(work):
        work.step("shares", lambda: attach_share.give_back(work, found), repeatable=True)
    work.step("ports", lambda: ports.release(work, server), repeatable=True)
    work.step("allocations", lambda: tools.chooser.release(work.uuid), repeatable=True)
    if server["shelved_image"]:
        work.step("image", lambda: forget_image(work, server["shelved_image"]), repeatable=True)
    work.step("quota", lambda: _forget_server(work, server), repeatable=True)
    return Outcome(deleted=True)


def destroy_on(work: Work, host: str) -> str:
    """A host that is down removes the guest itself when it comes back and finds the server deleted."""
    try:
        work.tools.hosts.ask(host, "destroy", {"uuid": work.uuid}, operation=work.id)
    except HostDown:
        return "the host is down; it will remove the guest when it is back"
    return "removed"


def _end_moves(work: Work) -> None:
    with work.cell.database.read() as connection:
        found = moves.of_server(connection, work.uuid, UNSETTLED)
    for move in found:
        _end_move(work, move)


def _end_move(work: Work, move: Row) -> None:
    """What a move that nobody confirmed keeps on its source goes; a source that is down removes it when it is back."""
    source = move["source_compute"]
    with contextlib.suppress(HostDown):
        work.tools.hosts.ask(source, "let_go", {"uuid": work.uuid}, operation=f"{work.id}:{move['id']}")
    work.tools.chooser.release(move["uuid"])
    if move["status"] in OPEN - {"done"}:
        with work.cell.database.write() as connection:
            moves.update(connection, move["uuid"], {"status": "confirmed", "updated_at": work.now()})


def give_back_quota(work: Work) -> None:
    """The server counts no more; done already is fine."""
    with work.tools.store.api.write() as connection:
        server_mappings.release(connection, work.uuid)


def _forget_server(work: Work, server: Row) -> None:
    with work.tools.store.api.write() as connection:
        server_mappings.release(connection, work.uuid)
        if '"group"' in server["hints"]:  # a server gets into a group by this hint alone
            group_rows.remove_member(connection, work.uuid)


def forget_image(work: Work, image_id: str) -> str:
    """Delete the image of a server that was on the shelf; one that cannot be deleted is no reason to fail."""
    try:
        work.tools.images.delete(None, image_id)
    except TRANSIENT:
        raise
    except KilonovaError as error:
        LOG.warning("Image %s of server %s stays: %s", image_id, work.uuid, error)
        return f"it stays: {error}"
    return "deleted"
