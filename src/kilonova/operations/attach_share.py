"""Giving a server that is off a share: its host is let in. The next start mounts it and shows it to the guest."""

import contextlib
from dataclasses import dataclass

from kilonova.kit.errors import KilonovaError
from kilonova.operations.hosts import HostDown
from kilonova.operations.work import Outcome, Row, Work
from kilonova.store import shares

_POLL = 0.25


@dataclass(frozen=True)
class AttachShare:
    """The command."""

    share_id: str


class AccessNotGiven(KilonovaError):
    """The share service did not let the host in, or not in time."""

    template = "The rule that lets {to} reach share {share_id} is {state}"


def run(work: Work, command: AttachShare) -> Outcome:
    """The share is ``inactive`` until the server starts; ``error`` when its host was not let in."""
    share_id, host = command.share_id, work.server()["host"]
    work.on_undo("status", lambda: mark(work, share_id, "error"))
    if find(work, share_id) is None:
        return Outcome(aside=True)
    work.step("access", lambda: _allow(work, share_id, address(work, host)), undo=lambda: deny(work, share_id, host))
    mark(work, share_id, "inactive")
    return Outcome(aside=True)


def find(work: Work, share_id: str) -> Row | None:
    """The server's share, if it has it still."""
    return next((row for row in all_of(work) if row["share_id"] == share_id), None)


def all_of(work: Work) -> list[Row]:
    """The server's shares."""
    with work.cell.database.read() as connection:
        return list(shares.of_server(connection, work.uuid))


def turn(work: Work, before: str, after: str) -> None:
    """The guest was switched on or off, and its shares (``inactive``, ``active``) with it."""
    for row in all_of(work):
        if row["status"] == before:
            mark(work, row["share_id"], after)


def give_back(work: Work, found: list[Row]) -> None:
    """The server is going. A host that is down stays let in: nobody knows its address."""
    host = work.server()["host"]
    for row in found:
        with contextlib.suppress(HostDown):
            if host:
                deny(work, row["share_id"], host)
        with work.cell.database.write() as connection:
            shares.remove(connection, work.uuid, row["share_id"])


def mark(work: Work, share_id: str, status: str) -> None:
    """Write the status of one of the server's shares."""
    with work.cell.database.write() as connection:
        shares.set_status(connection, work.uuid, share_id, status, work.now())


def address(work: Work, host: str) -> str:
    """By which the share service knows the host."""
    found = work.tools.hosts.ask(host, "connector", {"uuid": work.uuid}, operation=f"{work.id}:{host}")
    return str(found["ip"])


def deny(work: Work, share_id: str, host: str) -> None:
    """The host is let in no more, unless another of its servers needs that."""
    with work.cell.database.read() as connection:
        if shares.used_by_others(connection, share_id, host, work.uuid):
            return
    rule = work.tools.shares.access(share_id, address(work, host))
    if rule is not None:
        work.tools.shares.deny(share_id, rule.id)


def _allow(work: Work, share_id: str, to: str) -> None:
    manila, clock = work.tools.shares, work.tools.clock
    if manila.access(share_id, to) is None:
        manila.allow(share_id, to)
    ends = clock.monotonic() + work.tools.share_timeout
    while True:
        rule = manila.access(share_id, to)
        state = rule.state if rule is not None else "gone"
        if state == "active":
            return
        if state == "error" or clock.monotonic() >= ends:
            raise AccessNotGiven(to=to, share_id=share_id, state=state)
        clock.sleep(_POLL)
