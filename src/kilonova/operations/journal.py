"""Conductors' work: take operations, run them, record how they ended. The database is the truth, the bus a doorbell."""

import logging
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kilonova.domain.lifecycle import LIFECYCLE
from kilonova.kit import codec, logs, metrics
from kilonova.kit.clock import stamp
from kilonova.kit.errors import Unavailable
from kilonova.kit.timers import Timers
from kilonova.operations import rehome
from kilonova.operations.work import (
    LEASE,
    TRANSIENT,
    Cancelled,
    LeaseLost,
    Outcome,
    Refused,
    Row,
    ServerGone,
    Tools,
    Work,
)
from kilonova.store import operations as journal_rows
from kilonova.store import server_mappings, servers
from kilonova.store.cells import Cell

LOG = logging.getLogger(__name__)
_MOST_TRIES = 40
_LONGEST_WAIT = 30.0
_LOOK_AGAIN = 1.0
"""Seconds between looks at an operation that waits for one of another conductor; ours ring."""


_OPERATIONS = metrics.timer(
    "kilonova_operation_seconds", "Operations that ended, since they were accepted", "verb", "outcome", long=True
)
_STEPS = metrics.gauge("kilonova_steps_running", "Steps under way in this process", "verb", "step")
_WAITING = metrics.gauge("kilonova_operations_waiting", "Accepted operations that nobody works on yet", "cell")
_TAKEOVERS = metrics.counter("kilonova_lease_takeovers", "Operations taken over from a silent conductor")


@dataclass(frozen=True)
class Verb:
    """What the journal runs for a verb: ``run(work, command)`` with the command unpacked to its type."""

    name: str
    command: type[Any]
    run: Callable[[Work, Any], Outcome]
    secret: tuple[str, ...] = ()
    """Fields of the command that are forgotten when the operation has ended."""


class Journal:
    """One conductor. Several may share the databases; leases keep them apart."""

    def __init__(self, tools: Tools, verbs: Mapping[str, Verb], *, threads: int = 64, lease: timedelta = LEASE) -> None:
        self.tools = tools
        self.owner = str(uuid.uuid4())
        self._verbs = verbs
        self._lease = lease
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="operation")
        self._timers = Timers("journal")
        self._busy: set[str] = set()
        self._works: dict[str, Work] = {}
        self._waiting: dict[str, set[tuple[int, str]]] = {}
        """Server → operations that wait until another one on it has ended."""
        self._lock = threading.Lock()
        self._stopping = threading.Event()

    def ring(self, cell_id: int, operation_id: str) -> None:
        """The bell: somebody accepted this operation, or it may now be due."""
        cell = self.tools.store.cell(cell_id)
        with self._lock:
            if operation_id in self._busy or self._stopping.is_set():
                return
            self._busy.add(operation_id)
        self._pool.submit(self._attend, cell, operation_id)

    def sweep(self) -> int:
        """Look for operations nobody works on; returns how many were taken up."""
        now = stamp(self.tools.clock.now())
        found = 0
        answers = self.tools.store.ask(lambda connection: journal_rows.due(connection, now), self.tools.store.cells)
        for cell, ids in answers:
            for operation_id in ids:
                self.ring(cell.id, operation_id)
            found += len(ids)
        return found

    def renew(self) -> None:
        """Prolong the leases of running operations."""
        with self._lock:
            works = list(self._works.values())
        for cell in {work.cell.id: work.cell for work in works}.values():
            until = self.tools.clock.now() + self._lease
            mine = [work for work in works if work.cell.id == cell.id]
            try:
                with cell.database.write() as connection:
                    renewed = journal_rows.renew(connection, self.owner, stamp(until))
            except TRANSIENT as error:
                LOG.warning("Leases in cell %s could not be prolonged: %s", cell.name, error)
                continue
            if renewed == len(mine):  # else somebody took one over, or one has just ended: each sees for itself
                for work in mine:
                    work.until = until

    def stop(self) -> None:
        """Finish what runs; take nothing new."""
        self._stopping.set()
        self._timers.stop()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _attend(self, cell: Cell, operation_id: str) -> None:
        again: float | None = None
        try:
            again = self._take(cell, operation_id)
        except Exception:
            LOG.exception("Operation %s could not be worked on; the sweep will try again", operation_id)
        finally:
            with self._lock:
                self._busy.discard(operation_id)
                work = self._works.pop(operation_id, None)
            cell = cell if work is None else work.cell
        if again is not None:
            self._timers.after(again, self.ring, cell.id, operation_id)

    def _take(self, cell: Cell, operation_id: str) -> float | None:
        """Work on the operation if it is due; returns seconds after which to look again, if that is worth it."""
        with cell.database.read() as connection:
            row = journal_rows.get(connection, operation_id)
        if row is None or row["state"] not in journal_rows.OPEN:
            return None
        if row["blocked"]:
            return self._wait_for_others(cell, row)
        if row["verb"] == "create" and not rehome.arrived(self.tools, cell, row["server_uuid"]):
            return None
        until = self._claim(cell, row)
        if until is None:
            return None
        if row["state"] == "running":
            _TAKEOVERS.add()
        work = Work(self.tools, cell, row, self.owner, until=until, lease=self._lease)
        with self._lock:
            self._works[work.id] = work
        self.tools.checkpoint(f"{row['verb']}:claimed")
        try:
            return self._run(work, self._verbs[row["verb"]])
        finally:
            self._wake(work.uuid)

    def _claim(self, cell: Cell, row: Row) -> datetime | None:
        """When our lease on it ends; None when another conductor has it."""
        now = self.tools.clock.now()
        until = now + self._lease

        def claim(connection: Any) -> bool:
            return journal_rows.claim(connection, row, self.owner, stamp(now), stamp(until))

        return until if cell.database.once(claim) else None

    def _wait_for_others(self, cell: Cell, row: Row) -> float:
        """Another operation on the server comes first; if nobody works on it, we do."""
        with self._lock:
            self._waiting.setdefault(row["server_uuid"], set()).add((cell.id, row["id"]))
        with cell.database.read() as connection:
            earlier = journal_rows.due_before(connection, row, stamp(self.tools.clock.now()))
        for operation_id in earlier:
            self.ring(cell.id, operation_id)
        return _LOOK_AGAIN

    def _wake(self, server_uuid: str) -> None:
        with self._lock:
            waiting = self._waiting.pop(server_uuid, set())
        for cell_id, operation_id in waiting:
            self.ring(cell_id, operation_id)

    def _run(self, work: Work, verb: Verb) -> float | None:
        row = work.operation
        about = {"user": row["user_id"], "project": row["project_id"], "server": work.uuid, "operation": work.id}
        with logs.working_for(request_id=row["request_id"], **about):
            LOG.info("%s %s", verb.name, "goes on" if work.resumed else "begins")
            again = self._worked(work, verb)
            LOG.info("%s %s", verb.name, "has ended" if again is None else "waits")
            return again

    def _worked(self, work: Work, verb: Verb) -> float | None:
        """Run the verb and record how it ended; returns seconds after which to look again."""
        try:
            command = codec.unpack(codec.loads(work.operation["command"]), verb.command)
            if self.tools.announcer is not None:
                self.tools.announcer.begun(work)
            outcome = verb.run(work, command)
            self._succeed(work, outcome)
        except LeaseLost as error:
            self._let_go(work, error)
        except TRANSIENT as error:
            return self._later(work, error)
        except (Cancelled, ServerGone) as error:
            return self._give_up(work, error, "cancelled")
        except Exception as error:
            LOG.warning("Operation %s (%s) on %s failed: %s", work.id, verb.name, work.uuid, error)
            LOG.debug("Traceback", exc_info=True)
            return self._give_up(work, error, "failed")
        return None

    @staticmethod
    def _let_go(work: Work, lost: LeaseLost) -> None:
        """Another conductor goes on, or has ended it. Only of a server that is gone may we still touch anything."""
        LOG.warning("%s", lost)
        with work.cell.database.read() as connection:
            gone = servers.get(connection, work.uuid) is None
        if gone:
            work.take_back_strays()

    def _succeed(self, work: Work, outcome: Outcome) -> None:
        self.tools.checkpoint(f"{work.operation['verb']}:finish:start")

        def ended(connection: Any, now: str) -> None:
            _record_outcome(connection, work, outcome, now)
            self._forget_secrets(connection, work)

        work.finish(ended)
        self._count(work, "done")
        self.tools.checkpoint(f"{work.operation['verb']}:finish:recorded")
        if self.tools.announcer is not None:
            known = LIFECYCLE.get(work.operation["verb"])
            self.tools.announcer.done(work, known.during if known else None)

    def _count(self, work: Work, outcome: str) -> None:
        if _OPERATIONS.on:
            since = self.tools.clock.now() - datetime.fromisoformat(work.operation["created_at"])
            _OPERATIONS.observe(since.total_seconds(), work.operation["verb"], outcome)

    def tell(self) -> None:
        """Put numbers of what goes on and what waits, for whoever asks for metrics."""
        _STEPS.forget()
        with self._lock:
            going = Counter((work.operation["verb"], work.doing) for work in self._works.values())
        for (verb, step), number in going.items():
            _STEPS.put(number, verb, step)
        for cell in self.tools.store.cells:
            try:
                with cell.database.read() as connection:
                    waiting = journal_rows.queued(connection)
            except Unavailable:
                continue  # readiness tells of it
            _WAITING.put(waiting, cell.name)

    def _forget_secrets(self, connection: Any, work: Work) -> None:
        """Leave the command without what nobody needs any more."""
        secret = self._verbs[work.operation["verb"]].secret
        command = codec.loads(work.operation["command"]) if secret else {}
        if any(command.get(name) is not None for name in secret):
            kept = {name: value for name, value in command.items() if name not in secret}
            journal_rows.replace_command(connection, work.id, codec.text(kept))

    def _later(self, work: Work, error: Exception) -> float | None:
        """A neighbour is away: wait for it, but not for ever."""
        if work.operation["attempts"] + 1 >= _MOST_TRIES:
            return self._give_up(work, error, "failed")
        return self._requeue(work, error)

    def _requeue(self, work: Work, error: Exception) -> float | None:
        attempts = work.operation["attempts"] + 1
        wait: float = min(0.5 * 2.0 ** min(attempts, 10), _LONGEST_WAIT)
        LOG.warning("Operation %s waits %.1f s: %s", work.id, wait, error)
        not_before = stamp(self.tools.clock.now() + timedelta(seconds=wait))
        values = {"error": str(error), "updated_at": work.now()}

        def requeue(connection: Any) -> bool:
            return journal_rows.requeue(connection, work.id, work.owner, not_before, values)

        work.settle_what_may_be()
        return wait if work.cell.database.transact(requeue) else None

    def _give_up(self, work: Work, error: Exception, state: str) -> float | None:
        """Take back what was done, then record the end with its reason."""
        words = str(error) or type(error).__name__
        try:
            work.settle_what_may_be()
            work.unwind()
        except LeaseLost as lost:
            self._let_go(work, lost)
            return None
        except TRANSIENT as waiting:
            # However often: an end that leaves something behind is no end.
            return self._requeue(work, waiting)
        except Exception as left:
            LOG.warning("Operation %s on %s could not be taken back: %s", work.id, work.uuid, left, exc_info=True)
            words = f"{words} (and could not be taken back: {left})"
        self.tools.checkpoint(f"{work.operation['verb']}:undone")

        def record(connection: Any) -> None:
            _record_end(connection, work, state, words, error)
            self._forget_secrets(connection, work)

        work.cell.database.transact(record)
        self._count(work, state)
        self.tools.checkpoint(f"{work.operation['verb']}:ended")
        if self.tools.announcer is not None and state == "failed":
            self.tools.announcer.failed(work, words, error)
        return None


def _record_end(connection: Any, work: Work, state: str, words: str, error: Exception) -> None:
    now = work.now()
    values = {"state": state, "finished_at": now, "updated_at": now, "error": words}
    if not journal_rows.end(connection, work.id, work.owner, values):
        return
    journal_rows.fail_open_steps(connection, work.id, now, words)
    if state == "failed":
        _record_failure(connection, work, words, now, unchanged=isinstance(error, Refused))


def _record_outcome(connection: Any, work: Work, outcome: Outcome, now: str) -> None:
    if outcome.deleted:
        servers.mark_deleted(connection, work.uuid, now)
        return
    if outcome.aside:
        if outcome.values:
            servers.update(connection, work.uuid, outcome.values)
        return
    values: dict[str, Any] = {**outcome.values, "task_state": None, "progress": 0, "updated_at": now}
    if outcome.vm_state is not None:
        values["vm_state"] = outcome.vm_state
    servers.update(connection, work.uuid, values)


def _record_failure(connection: Any, work: Work, words: str, now: str, *, unchanged: bool) -> None:
    row = LIFECYCLE.get(work.operation["verb"])
    if row is None or row.during is None:
        return  # it ran beside others and has changed nothing
    values: dict[str, Any] = {"task_state": None, "updated_at": now}
    if row.on_failure is not None and not unchanged:
        fault = {"code": 500, "created": now[:19] + "Z", "message": words[:255], "details": words}
        values |= {"vm_state": row.on_failure, "fault": codec.text(fault)}
    servers.update(connection, work.uuid, values)


def confirm_mappings(tools: Tools) -> None:
    """Mappings written by an accept that died before it wrote the server are removed, and their usage given back."""
    before = stamp(tools.clock.now() - timedelta(seconds=60))
    store = tools.store
    with store.api.read() as connection:
        found = server_mappings.unconfirmed(connection, before)
    by_cell: dict[int, list[str]] = {}
    for row in found:
        by_cell.setdefault(row["cell_id"], []).append(row["uuid"])
    for cell_id, uuids in by_cell.items():
        with store.cell(cell_id).database.read() as connection:
            there = servers.existing(connection, uuids)
        lost = [u for u in uuids if u not in there]
        if lost and len(store.holding) > 1:  # it may have moved since the mapping was read
            answers = store.ask(lambda connection: servers.existing(connection, lost))  # noqa: B023  # asked at once
            elsewhere = set().union(*answers.whole().values())
            lost = [u for u in lost if u not in elsewhere]
        with store.api.write() as connection:
            server_mappings.confirm(connection, sorted(there))
            for lost_uuid in lost:
                LOG.warning("Server %s was accepted only halfway; its quota is given back", lost_uuid)
                server_mappings.release(connection, lost_uuid)
            server_mappings.forget(connection, lost)
