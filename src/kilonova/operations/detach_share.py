"""Taking a share from a server that is off. Repeating finishes what failed."""

from dataclasses import dataclass

from kilonova.operations.attach_share import deny, find, mark
from kilonova.operations.work import Outcome, Work
from kilonova.store import shares


@dataclass(frozen=True)
class DetachShare:
    """The command."""

    share_id: str


def run(work: Work, command: DetachShare) -> Outcome:
    """Its host is let in no more."""
    share_id, host = command.share_id, work.server()["host"]
    work.on_undo("status", lambda: mark(work, share_id, "error"))
    if find(work, share_id) is None:
        return Outcome(aside=True)
    work.step("access", lambda: deny(work, share_id, host))
    with work.cell.database.write() as connection:
        shares.remove(connection, work.uuid, share_id)
    return Outcome(aside=True)
