"""Finding the server of a path: one query, another project's server is not there, policy asked with its owner."""

from collections.abc import Callable
from typing import Any

from kilonova.domain.lifecycle import ServerLocked
from kilonova.kit.clock import stamp
from kilonova.kit.errors import Conflict, NotFound
from kilonova.kit.http.endpoint import Call
from kilonova.kit.http.schema import is_uuid
from kilonova.kit.rpc.contract import NoAnswer
from kilonova.operations.accepting import Acceptor
from kilonova.store import operations as journal_rows
from kilonova.store import servers
from kilonova.store.cells import Cell

Row = Any
_PATIENCE = 60.0
"""Seconds that clients of the synchronous routes have always had to wait."""
OVERRIDE_RULE = "os_compute_api:os-lock-server:unlock:unlock_override"


class ServerNotFound(NotFound):
    """No such server, or not for this caller (404)."""

    template = "Instance {uuid} could not be found."


def find(
    call: Call, rule: str, *, deleted: bool = False, uuid: str | None = None, read: Callable[..., Any] = servers.get
) -> tuple[Cell, Row]:
    """The server of the path, as ``read`` gives it, and its cell. Raises ServerNotFound, NotAllowed."""
    wanted = uuid or call.params["server_id"]
    if not is_uuid(wanted):
        raise ServerNotFound(uuid=wanted)
    cell, row = seek(call, wanted, lambda connection, uuid: read(connection, uuid, deleted=deleted))
    return cell, allowed(call, rule, row)


def seek(call: Call, uuid: str, read: Callable[[Any, str], Any]) -> tuple[Cell, Any]:
    """What ``read`` finds of a server, whoever asks. Raises ServerNotFound, Unavailable while its cell is down."""
    found: tuple[Cell, Any] | None = call.app.store.seek(uuid, read)
    if found is None:
        raise ServerNotFound(uuid=uuid)
    return found


def allowed(call: Call, rule: str, row: Row) -> Row:
    """The row, for a caller who may see it. Raises ServerNotFound, NotAllowed."""
    target = target_of(row)
    if not call.allow(rule, target):
        if row["project_id"] != call.context.project_id and not call.allow("context_is_admin", {}):
            raise ServerNotFound(uuid=row["uuid"])
        call.demand(rule, target)
    return row


def target_of(row: Row) -> dict[str, Any]:
    """A server as policy's target."""
    return {"project_id": row["project_id"], "user_id": row["user_id"]}


def unlocked(call: Call, row: Row) -> None:
    """Raises ServerLocked for a caller who may not act on a locked server."""
    if row["locked_by"] is not None and not call.allow(OVERRIDE_RULE, target_of(row)):
        raise ServerLocked(uuid=row["uuid"])


def acceptor(call: Call) -> Acceptor:
    """Accepts operations for this call."""
    return Acceptor(clock=call.app.clock, bell=call.app.bell)


def outcome(call: Call, cell: Cell, operation_id: str) -> Row:
    """The operation's row when it has ended, or as it is after the longest a caller should wait."""
    clock, pause = call.app.clock, 0.01
    ends = clock.monotonic() + _PATIENCE
    while True:
        with cell.database.read() as connection:
            row = journal_rows.get(connection, operation_id)
        if row is None or row["state"] not in journal_rows.OPEN or clock.monotonic() >= ends:
            return row
        clock.sleep(pause)
        pause = min(pause * 1.5, 0.25)


def act(call: Call, rule: str, verb: str, command: Any = None) -> None:
    """Find, check, accept: the whole of a simple action."""
    cell, row = find(call, rule)
    unlocked(call, row)
    acceptor(call).accept(call.context, cell, row, verb, command)


class NotReady(Conflict):
    """The server has no guest yet, or none any more."""

    template = "Instance {uuid} is not ready"


def on_host(row: Row) -> None:
    """Raises NotReady for a server that is on no host."""
    if not row["host"] or row["vm_state"] == "building":
        raise NotReady(uuid=row["uuid"])


def ask_host(call: Call, row: Row, what: str, arguments: dict[str, Any]) -> Any:
    """A quick question to the server's host. Raises NotReady, and what the host says."""
    on_host(row)
    try:
        return call.app.hosts.once(row["host"], what, arguments)
    except NoAnswer as error:
        raise NotReady(f"Instance {row['uuid']}: its compute host does not answer") from error
    except NotFound as error:
        raise NotReady(uuid=row["uuid"]) from error


def now(call: Call) -> str:
    """The moment, as rows have it."""
    return stamp(call.app.clock.now())
