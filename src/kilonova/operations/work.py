"""An operation while a conductor works on it: its steps, its undo stack, and the collaborators it may use.

A step is run once and its result recorded; a conductor that takes over a dead one's operation replays the records.
So a step must be safe to repeat up to its record, and an undo safe to run without its step having done anything.
Records wait for the next write: nothing else outside the database is begun before them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from kilonova.domain.quota import QuotaOptions
from kilonova.kit import codec
from kilonova.kit.clock import Clock, stamp
from kilonova.kit.db.engine import DatabaseBusy
from kilonova.kit.errors import KilonovaError, NotFound, Unavailable
from kilonova.operations.doorbell import Doorbell
from kilonova.store import operations as journal_rows
from kilonova.store import servers
from kilonova.store.cells import Cell, Store

Row = Mapping[str, Any]
LEASE = timedelta(seconds=60)
TRANSIENT = (Unavailable, DatabaseBusy)
"""What passes by itself: the operation is tried again later instead of failing."""


class StepFailed(KilonovaError):
    """A step ended in an error, now or before a restart; the words are the error's."""

    template = "{reason}"


class Refused(StepFailed):
    """It turned out impossible before anything was changed: the server stays what it was."""


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
    volumes: Any = None
    shares: Any = None
    share_timeout: int = 10
    """``[manila] share_apply_policy_timeout``: seconds until a rule of access is in force."""
    chooser: Any = None
    """operations.placing.Chooser."""
    metadata: Any = None
    """domain.guest_data.GuestDataOptions."""
    options: Any = None
    """operations.options.ConductorOptions."""
    precache_concurrency: int = 1
    """Hosts that fetch an image ahead of use at the same time."""
    limits: Any = None
    """clients.keystone.limits, where limits are unified."""
    quota: QuotaOptions = field(default_factory=QuotaOptions)
    doorbell: Doorbell = field(default_factory=Doorbell)
    announcer: Any = None
    """operations.announcing.Announcer, where anybody listens to notifications."""
    checkpoint: Checkpoint = _pass


class _Refused(Exception):
    """The operation is not ours any more, or was asked to stop."""


@dataclass
class _Ended:
    """A step whose record has not been written yet."""

    row: dict[str, Any]
    announced: bool
    repeatable: bool
    save: Row | None = None


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

    def __init__(
        self, tools: Tools, cell: Cell, operation: Row, owner: str, *, until: datetime, lease: timedelta = LEASE
    ) -> None:
        self.tools = tools
        self.cell = cell
        self.operation = operation
        self.owner = owner
        self.id: str = operation["id"]
        self.uuid: str = operation["server_uuid"]
        self.cancelled = bool(operation["cancel"])
        self.resumed = operation["attempts"] > 0
        self.until = until
        """When the lease runs out, as far as this process knows; whoever prolongs it moves this."""
        self.told: dict[str, Any] = {}
        """What notifications of it remember."""
        self.doing = ""
        """The step under way."""
        self.failed_step: str | None = None
        """The last step that ended in an error in this process."""
        self.lease = lease
        """For how long the operation is ours without prolonging."""
        self._undos: list[tuple[str, Callable[[], object]]] = []
        self._steps: dict[str, Row] = {}
        self._ended: list[_Ended] = []
        """Steps whose record waits for the next write."""
        if self.resumed:
            with cell.database.read() as connection:
                self._steps = {step["name"]: step for step in journal_rows.steps_of(connection, [self.id])}

    def move_to(self, cell: Cell) -> None:
        """Go on with the operation in another cell, to which it was copied. Raises LeaseLost."""
        until = self.tools.clock.now() + self.lease

        def take(connection: Any) -> Row | None:
            return journal_rows.take_copy(connection, self.id, self.owner, stamp(until))

        taken = cell.database.transact(take)
        if taken is None:
            raise LeaseLost(operation=self.id)
        self.cell, self.operation, self.until = cell, taken, until
        self.cancelled = bool(taken["cancel"])

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
        repeatable: bool = False,
        save: Callable[[Any], Row] | None = None,
    ) -> Any:
        """Run ``do`` once in the operation's life and return its (JSON) result.

        The record is written before anything else outside the database is done, in one transaction with what is
        written then anyway; that of a ``repeatable`` step, which may be repeated even after later ones, still later.
        ``announce`` records the start, too, so that users see long steps under way. ``save`` gives columns of the
        server to set in the transaction of the record. Raises StepFailed, Cancelled, LeaseLost, Unavailable.
        """
        known = self._steps.get(name)
        if undo is not None and not (self.cancelled and announce and known is None):
            # Before anything else: a conductor before this one may have died between doing and recording.
            self.on_undo(name, undo)
        if known is not None and known["finished_at"] is not None:
            return _replay(known)
        if self.cancelled:
            raise Cancelled
        self._check_lease()
        self._reach(f"{name}:start")
        row = {"operation_id": self.id, "name": name, "host": host, "started_at": self.now()}
        if announce and known is None:
            self.settle(row)
            self._reach(f"{name}:announced")
        elif not all(ended.repeatable for ended in self._ended):
            self.settle()
        ended = _Ended(row, announced=announce or known is not None, repeatable=repeatable)
        return self._do(do, ended, save)

    def _do(self, do: Callable[[], Any], ended: "_Ended", save: Callable[[Any], Row] | None) -> Any:
        self.doing = name = ended.row["name"]
        announcer = self.tools.announcer
        if announcer is not None:
            announcer.step(self, name, "start")
        try:
            result = do()
        except (*TRANSIENT, LeaseLost, Cancelled):
            raise
        except Exception as error:
            words = str(error) if isinstance(error, KilonovaError) else f"{type(error).__name__}: {error}"
            self.failed_step = name
            facts = getattr(error, "facts", None)
            self._end(ended, {"error": words, "result": None if facts is None else codec.text(facts)})
            self._reach(f"{name}:failed")
            raise StepFailed(reason=words) from error
        self._reach(f"{name}:done")
        ended.save = save(result) if save is not None else None
        self._end(ended, {"result": codec.text(result)})
        if announcer is not None:
            announcer.step(self, name, "end")
        return result

    def _reach(self, where: str) -> None:
        self.tools.checkpoint(f"{self.operation['verb']}:{where}")

    def _end(self, ended: "_Ended", ending: Row) -> None:
        ended.row.update(ending, finished_at=self.now())
        self._ended.append(ended)
        self._steps[ended.row["name"]] = {"result": None, "error": None, **ended.row}

    def settle(self, begins: Row | None = None) -> None:
        """Record the steps that have ended, and one that begins. Raises LeaseLost, Cancelled."""

        def write(connection: Any) -> None:
            for ended in self._ended:
                if not self._write(connection, ended):
                    raise _Refused
            if begins is not None and not journal_rows.add_step(connection, begins, self.owner):
                raise _Refused

        single = len(self._ended) + (begins is not None) == 1 and not any(ended.save for ended in self._ended)
        database = self.cell.database
        try:
            (database.once if single else database.transact)(write)
        except _Refused:
            self.why_not()
        self._recorded()

    def settle_what_may_be(self) -> None:
        """Record what an operation that does not go on may still record of its steps. Raises nothing of its own."""

        def write(connection: Any) -> None:
            for ended in self._ended:
                self._write(connection, ended)

        if self._ended:
            self.cell.database.transact(write)
            self._recorded()

    def finish(self, record_outcome: Callable[[Any, str], None]) -> None:
        """Record the end of the operation, with its last steps and its outcome. Raises LeaseLost, Cancelled."""

        def write(connection: Any) -> bool:
            now = self.now()
            if not journal_rows.finish(connection, self.id, self.owner, now):
                return False
            added = [ended.row for ended in self._ended if not ended.announced]
            if added:
                journal_rows.add_steps(connection, added)
            for ended in self._ended:
                if ended.announced:
                    journal_rows.end_step(connection, ended.row, self.owner)
                self._save(connection, ended)
            record_outcome(connection, now)
            return True

        if not self.cell.database.transact(write):
            self.why_not()
        self._recorded()

    def _write(self, connection: Any, ended: "_Ended") -> bool:
        """One record, as long as the operation is ours (and, of a step nobody has heard of, not asked to stop)."""
        record = journal_rows.end_step if ended.announced else journal_rows.add_step
        kept = record(connection, ended.row, self.owner)
        if kept:
            self._save(connection, ended)
        return kept

    def _save(self, connection: Any, ended: "_Ended") -> None:
        if ended.save:
            servers.update(connection, self.uuid, {**ended.save, "updated_at": self.now()})

    def _recorded(self) -> None:
        recorded, self._ended = self._ended, []
        for ended in recorded:
            self._reach(f"{ended.row['name']}:recorded")

    def why_not(self) -> None:
        """A guarded write found the operation changed: raise what that means."""
        with self.cell.database.read() as connection:
            standing = journal_rows.standing(connection, self.id)
        if standing is None or standing["owner"] != self.owner or standing["state"] != "running":
            raise LeaseLost(operation=self.id)
        self.cancelled = True
        raise Cancelled

    def demand_wanted(self) -> None:
        """For steps that wait long: raises Cancelled when the server is to be deleted meanwhile, LeaseLost."""
        with self.cell.database.read() as connection:
            standing = journal_rows.standing(connection, self.id)
        if standing is None or standing["owner"] != self.owner or standing["cancel"]:
            self.why_not()

    def _check_lease(self) -> None:
        """Nothing outside the database may be touched on a lease that ran out. Raises LeaseLost."""
        if self.tools.clock.now() >= self.until:
            self.prolong()

    def prolong(self) -> None:
        """Renew the lease, now. Raises LeaseLost."""
        until = self.tools.clock.now() + self.lease

        def write(connection: Any) -> bool:
            return journal_rows.prolong(connection, self.id, self.owner, stamp(until))

        if not self.cell.database.once(write):
            raise LeaseLost(operation=self.id)
        self.until = until

    # -- taking back --
    def on_undo(self, name: str, undo: Callable[[], object]) -> None:
        """Remember how to take something back; it may be called although nothing was done, and more than once."""
        self._undos.append((name, undo))

    def mark(self) -> int:
        """A place to unwind to."""
        return len(self._undos)

    def forget(self, to: int) -> None:
        """What came after a mark was taken back before a restart."""
        del self._undos[to:]

    def take_back_strays(self) -> None:
        """The operation was taken over while this process was held up, and its server is gone by now.

        What the step that was under way made since then is nobody's. Raises what the undos raise.
        """
        while self._undos:
            _name, undo = self._undos.pop()
            undo()

    def unwind(self, to: int = 0) -> None:
        """Take back what was done after a mark, last first.

        The first failure stops it and stays on the stack: what was done earlier is still needed to find what is left
        (a guest that could not be removed keeps its server's host, its ports and its claim).
        Raises LeaseLost, and what the undo raises.
        """
        while len(self._undos) > to:
            name, undo = self._undos[-1]
            self.prolong()
            self._reach(f"undo-{name}:start")
            if self.tools.announcer is not None:
                self.tools.announcer.undo(self, name, "start")
            undo()
            self._undos.pop()
            self._reach(f"undo-{name}:done")
            if self.tools.announcer is not None:
                self.tools.announcer.undo(self, name, "end")


def _replay(step: Row) -> Any:
    if step["error"] is not None:
        raise StepFailed(reason=step["error"])
    return codec.loads(step["result"])
