"""Accepting an action on a server: check its state, set the task state and write the operation in one transaction."""

import contextlib
import uuid as uuids
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from kilonova.domain import lifecycle
from kilonova.kit import codec
from kilonova.kit.clock import Clock, stamp
from kilonova.kit.context import Context, system
from kilonova.kit.errors import Conflict, NotFound
from kilonova.store import operations as journal_rows
from kilonova.store import server_lists, servers, shares
from kilonova.store.cells import Cell, Store

Row = Mapping[str, Any]
_RACES = 10
"""A build changes its server's state three times."""


@dataclass(frozen=True)
class NoFields:
    """The command of a verb that needs to know nothing but its server."""


class HasShares(Conflict):
    """What cannot be done with shares (409)."""

    template = "Cannot '{action}' instance {uuid} while it has shares"


@dataclass(frozen=True, kw_only=True)
class Acceptor:
    """Accepts verbs in an API process."""

    clock: Clock
    bell: Callable[[int, list[str]], None]
    """Rings the conductors: cell id, operation ids."""

    def accept(  # what an operation is, and what is written with it
        self,
        context: Context,
        cell: Cell,
        server: Row,
        verb: str,
        command: Any = None,
        *,
        values: Row | None = None,
        along: Callable[[Any, Row], None] | None = None,
    ) -> str:
        """Write the operation and ring; returns its id. Raises WrongState (409), ServerLocked (409).

        ``values`` are further columns of the server, ``along`` writes other tables in the same
        transaction, given the server's row as it was.

        A server that is being worked on may change state just now: as long as the verb is allowed in the new state,
        too, the change is not the caller's concern.
        """
        if verb in lifecycle.NOT_WITH_SHARES:
            _demand_no_shares(cell, server["uuid"], verb)
        seen = server
        for _try in range(_RACES):
            row = lifecycle.check(verb, seen["uuid"], seen["vm_state"], seen["task_state"])
            now = stamp(self.clock.now())
            operation = operation_row(context, server, verb, command or NoFields(), now)
            with cell.database.write() as connection:
                begun = servers.begin_task(connection, seen, row.during, now, values)
                if begun and verb == "delete":
                    journal_rows.cancel_earlier(connection, server["uuid"], now)
                if begun:
                    journal_rows.insert(connection, [operation], last=along is None)
                if begun and along is not None:
                    along(connection, seen)
            if begun:
                self.bell(cell.id, [operation["id"]])
                return str(operation["id"])
            seen = self._again(cell, server)
        raise lifecycle.WrongState(
            action=verb, uuid=server["uuid"], attribute="task_state", state=f"{seen['task_state']} (it keeps changing)"
        )

    @staticmethod
    def _again(cell: Cell, server: Row) -> Row:
        """The row as it is now. Raises NotFound when there is none any more."""
        with cell.database.read() as connection:
            seen = servers.get(connection, server["uuid"])
        if seen is None:
            raise NotFound(f"Instance {server['uuid']} could not be found.")
        return seen

    def note(
        self,
        context: Context,
        cell: Cell,
        server: Row,
        verb: str,
        values: Row,
        *,
        ran: tuple[str, Exception | None] | None = None,
    ) -> None:
        """A change that is done at once (lock, unlock …): write it, and its record as a finished operation.

        ``ran`` is its one step, where it has one, and how that failed.
        """
        step, error = ran or (None, None)
        now = stamp(self.clock.now())
        operation = operation_row(context, server, verb, NoFields(), now)
        ending = {"state": "failed" if error else "done", "error": str(error) if error else None, "finished_at": now}
        with cell.database.write() as connection:
            if values:
                servers.update(connection, server["uuid"], {**values, "updated_at": now})
            journal_rows.insert(connection, [{**operation, **ending}])
            if step is not None:
                row = {"operation_id": operation["id"], "name": step, "host": server["host"], "started_at": now}
                journal_rows.add_steps(connection, [{**row, "finished_at": now, "error": ending["error"]}])


def operation_row(context: Context, server: Row, verb: str, command: Any, now: str) -> dict[str, Any]:
    """A queued operation."""
    return {
        "id": str(uuids.uuid4()),
        "verb": verb,
        "server_uuid": server["uuid"],
        "project_id": context.project_id,
        "user_id": context.user_id,
        "request_id": context.request_id,
        "command": codec.text(codec.pack(command)),
        "state": "queued",
        "cancel": False,
        "attempts": 0,
        "created_at": now,
        "updated_at": now,
        "finished_at": None,
    }


def accept_idle(store: Store, acceptor: Acceptor, verb: str, vm_state: str, after: int) -> int:
    """Accept ``verb`` for servers that have been in a state for ``after`` seconds (0 and less: never); how many."""
    if after <= 0:
        return 0
    before = stamp(acceptor.clock.now() - timedelta(seconds=after))
    accepted = 0
    for cell, found in store.ask(lambda connection: server_lists.idle_since(connection, vm_state, before)):
        for row in found:
            with contextlib.suppress(lifecycle.WrongState, NotFound):  # others have just done something to it
                acceptor.accept(system(), cell, row, verb)
                accepted += 1
    return accepted


def _demand_no_shares(cell: Cell, uuid: str, verb: str) -> None:
    """Raises HasShares."""
    with cell.database.read() as connection:
        if shares.of_server(connection, uuid):
            raise HasShares(action=lifecycle.LIFECYCLE[verb].action_name, uuid=uuid)
