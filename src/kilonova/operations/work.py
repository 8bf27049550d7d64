"""An operation while a conductor works on it: its steps, its undo stack, and the collaborators it may use.

A step is run once and its result recorded; a conductor that takes over a dead one's operation replays the records.
So a step must be safe to repeat up to its record, and an undo safe to run without its step having done anything.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kilonova.kit import codec
from kilonova.kit.clock import Clock, stamp
from kilonova.kit.errors import KilonovaError, NotFound, Unavailable
from kilonova.kit.undo import UndoStack
from kilonova.operations.doorbell import Doorbell
from kilonova.store import operations as journal_rows
from kilonova.store import servers
from kilonova.store.cells import Cell, Store

Row = Mapping[str, Any]


class StepFailed(KilonovaError):
    """A step ended in an error, now or before a restart; the words are the error's."""

    template = "{reason}"


class Cancelled(KilonovaError):
    """The operation was asked to stop (its server is being deleted)."""

    template = "Stopped: the server is being deleted"


class LeaseLost(KilonovaError):
    """Another conductor has taken the operation over; this one must not touch anything any more."""

    template = "Operation {operation} was taken over"


class ServerGone(NotFound):
    """The operation's server does not exist any more."""

    template = "Instance {uuid} could not be found."


Checkpoint = Callable[[str], None]
"""Called at every step boundary; the crash harness kills the process there."""


def _pass(_where: str) -> None:
    """The checkpoint of production."""


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What operations are handed."""

    store: Store
    clock: Clock
    hosts: Any
    """operations.hosts.Hosts."""
    images: Any = None
    networks: Any = None
    resources: Any = None
    chooser: Any = None
    """operations.placing.Chooser."""
    metadata: Any = None
    """domain.guest_data.GuestDataOptions."""
    options: Any = None
    """operations.options.ConductorOptions."""
    doorbell: Doorbell = field(default_factory=Doorbell)
    checkpoint: Checkpoint = _pass


@dataclass(frozen=True)
class Outcome:
    """How an operation ended well: the server's ``vm_state`` (None leaves it) and other columns to set."""

    vm_state: str | None = None
    values: Row = field(default_factory=dict)
    deleted: bool = False
    aside: bool = False
    """The operation ran beside others and has no task state of its own: only ``values`` are written."""


class Work:
    """One claimed operation."""

    def __init__(self, tools: Tools, cell: Cell, operation: Row, owner: str) -> None:
        self.tools = tools
        self.cell = cell
        self.operation = operation
        self.owner = owner
        self.id: str = operation["id"]
        self.uuid: str = operation["server_uuid"]
        self.undo = UndoStack()
        self.cancelled = bool(operation["cancel"])
        self.resumed = operation["attempts"] > 0
        self._steps: dict[str, Row] = {}
        if self.resumed:
            with cell.database.read() as connection:
                self._steps = {step["name"]: step for step in journal_rows.steps_of(connection, [self.id])}

    def server(self) -> Row:
        """The server's row as it is now. Raises ServerGone."""
        with self.cell.database.read() as connection:
            found = servers.get(connection, self.uuid)
        if found is None:
            raise ServerGone(uuid=self.uuid)
        return found

    def now(self) -> str:
        """The moment, as rows have it."""
        return stamp(self.tools.clock.now())

    def step(
        self,
        name: str,
        do: Callable[[], Any],
        *,
        undo: Callable[[], object] | None = None,
        host: str | None = None,
        announce: bool = False,
        save: Callable[[Any], Row] | None = None,
    ) -> Any:
        """Run ``do`` once in the operation's life and return its (JSON) result.

        ``announce`` records the start, too, so that users see long steps under way. ``save`` gives columns of the
        server to set in the transaction of the record. Raises StepFailed, Cancelled, LeaseLost, Unavailable.
        """
        if undo is not None:
            self.undo.push(undo)
        known = self._steps.get(name)
        if known is not None and known["finished_at"] is not None:
            return _replay(known)
        if self.cancelled:
            raise Cancelled
        self.tools.checkpoint(f"{self.operation['verb']}:{name}:start")
        row = {"operation_id": self.id, "name": name, "host": host, "started_at": self.now()}
        announced = known is not None
        if announce and not announced:
            self._record(row, None)
            announced = True
        try:
            result = do()
        except Unavailable:
            raise
        except Exception as error:
            failure = (
                error if isinstance(error, KilonovaError) else StepFailed(reason=f"{type(error).__name__}: {error}")
            )
            self._end(row, announced=announced, ending={"error": str(failure)}, save=None)
            raise StepFailed(reason=str(failure)) from error
        self.tools.checkpoint(f"{self.operation['verb']}:{name}:done")
        changes = save(result) if save is not None else None
        self._end(row, announced=announced, ending={"result": codec.text(result)}, save=changes)
        self.tools.checkpoint(f"{self.operation['verb']}:{name}:recorded")
        return result

    def _end(self, row: dict[str, Any], *, announced: bool, ending: Row, save: Row | None) -> None:
        whole = {**row, **ending, "finished_at": self.now()}
        self._record(whole, save, announced=announced)
        self._steps[row["name"]] = {"result": None, "error": None, **whole}

    def _record(self, row: Row, save: Row | None, *, announced: bool = False) -> None:
        with self.cell.database.write() as connection:
            if announced:
                ending = {k: row[k] for k in ("finished_at", "result", "error", "host") if k in row}
                journal_rows.end_step(connection, self.id, row["name"], ending)
                kept = True
            else:
                kept = journal_rows.add_step(connection, row, self.owner)
            if kept and save:
                servers.update(connection, self.uuid, {**save, "updated_at": self.now()})
        if not kept:
            self.why_not()

    def why_not(self) -> None:
        """A guarded write found the operation changed: raise what that means."""
        with self.cell.database.read() as connection:
            standing = journal_rows.standing(connection, self.id)
        if standing is None or standing["owner"] != self.owner or standing["state"] != "running":
            raise LeaseLost(operation=self.id)
        self.cancelled = True
        raise Cancelled


def _replay(step: Row) -> Any:
    if step["error"] is not None:
        raise StepFailed(reason=step["error"])
    return codec.loads(step["result"])
