"""Moves that nobody confirmed in time are confirmed (``[DEFAULT] resize_confirm_window`` of the compute host)."""

from datetime import timedelta

from kilonova.domain.lifecycle import WrongState
from kilonova.kit.clock import stamp
from kilonova.kit.context import Context
from kilonova.operations.accepting import Acceptor
from kilonova.operations.confirm_resize import Settle
from kilonova.operations.work import Tools
from kilonova.store import moves
from kilonova.store.cells import Cell


def confirm_overdue(tools: Tools, cell: Cell, host: str, window: int) -> int:
    """Accept a confirmation for each server that has waited on ``host`` for ``window`` seconds; returns how many."""
    acceptor = Acceptor(clock=tools.clock, bell=lambda _cell, _operations: None)  # the sweep is soon enough
    before = stamp(tools.clock.now() - timedelta(seconds=window))
    with cell.database.read() as connection:
        overdue = moves.unconfirmed(connection, host, before)
        records = {row["uuid"]: moves.of_server(connection, row["uuid"], {"finished"}) for row in overdue}
    accepted = 0
    for row in overdue:
        context = Context(user_id=row["user_id"], project_id=row["project_id"], roles=("admin",))
        try:
            acceptor.accept(context, cell, row, "confirm_resize", Settle(migration=records[row["uuid"]][0]["uuid"]))
        except WrongState:
            continue  # its owner was quicker
        accepted += 1
    return accepted
