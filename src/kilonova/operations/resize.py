"""Moving a server to another flavor, another host, or both, switched off on the way.

Its disks go from the source to the destination, where it starts with the new size. The source keeps the disks as they
were until the move is confirmed or reverted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kilonova.domain import server as states
from kilonova.domain.migration import DiskShrinks
from kilonova.kit import codec
from kilonova.operations import ports, volumes
from kilonova.operations.guests import network_columns
from kilonova.operations.moving import Move
from kilonova.operations.power import shutdown_timeout
from kilonova.operations.work import Outcome, Row, Work


@dataclass(frozen=True, kw_only=True)
class Resize:
    """The command of ``resize`` and ``migrate``."""

    migration: str
    columns: Mapping[str, Any] = field(default_factory=dict)
    """Columns of the server by its new flavor; empty: the flavor stays."""
    host: str | None = None
    """Where the caller wants it."""
    may_stay: bool = False
    """On its host (``allow_resize_to_same_host``)."""


def run(work: Work, command: Resize) -> Outcome:
    """The server waits on its destination to be confirmed."""
    move = Move(work, command.migration)
    after: Row = {**move.server, **command.columns}
    move.begin()
    work.step("check", lambda: _check_disks(move.server, after))
    work.step("quota", lambda: move.recount(_larger(move.server, after)), undo=move.count_back)
    ignored = frozenset() if command.may_stay else frozenset({move.source})
    placed = move.place(after, "resize_migrating", requested_host=command.host, ignore_hosts=ignored)
    _bring_disks(work, move, placed)
    move.bring_volumes(placed["host"])
    nics = move.rebind(placed, {**command.columns, "task_state": "resize_finish"})
    after = {**after, "host": placed["host"], "node": placed["node"], **network_columns(nics)}
    arguments = {"spec": move.spec(after, held=ports.awaited(work, nics)), "token": move.uuid, "power": move.ran}
    state = work.step("host", lambda: move.ask(placed["host"], "take", arguments), host=placed["host"], announce=True)
    move.use_volumes(volumes.complete_all)  # the source's attachments stay until the move is confirmed or reverted
    if move.ran:
        nics, state = ports.let_run(work, after, nics, state)
    if _larger(move.server, after) != after:
        work.step("counted", lambda: move.recount(after))
    move.note(status="finished")
    values = {"power_state": state["power"], "launched_at": work.now(), "fault": None, **network_columns(nics)}
    return Outcome(vm_state=states.RESIZED, values=values)


def _bring_disks(work: Work, move: Move, placed: Row) -> None:
    """Switched off and set aside on the source, its disks lying on the destination."""
    work.on_undo("source", move.back_at_source)
    move.clear_on_undo(placed["host"])

    def berth() -> Any:
        found = move.ask(placed["host"], "berth", {"uuid": work.uuid, "token": move.uuid})
        move.note(status="migrating", dest_host=found["address"])
        return found

    place = work.step("berth", berth, host=placed["host"])
    arguments = {
        "spec": move.spec(move.server),
        "berth": place,
        "token": move.uuid,
        "timeout": shutdown_timeout(work, move.server) if move.ran else 0,
    }

    def give() -> None:
        move.ask(move.source, "give", arguments)
        move.note(status="post-migrating")

    work.step("disks", give, host=move.source, announce=True, save=lambda _nothing: {"task_state": "resize_migrated"})


def _larger(old: Row, new: Row) -> Row:
    """What counts on the way: it may fail."""
    return {**new, **{name: max(old[name], new[name]) for name in ("vcpus", "memory_mb")}}


def _check_disks(old: Row, new: Row) -> None:
    """A root disk that is a volume has its own size. Raises DiskShrinks."""
    before, after = codec.loads(old["flavor"]), codec.loads(new["flavor"])
    local = (("disk", "The root disk"), ("ephemeral", "The ephemeral disk"))
    for name, disk in local if old["image_ref"] else local[1:]:
        if after[name] < before[name]:
            raise DiskShrinks(disk=disk, old=before[name], new=after[name])
