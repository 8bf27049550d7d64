"""Moves that nobody confirmed in time are confirmed (``[DEFAULT] resize_confirm_window``)."""

from datetime import timedelta
from typing import Any

from kilonova.domain.lifecycle import WrongState
from kilonova.kit.clock import stamp
from kilonova.kit.context import Context
from kilonova.operations.accepting import Acceptor
from kilonova.operations.confirm_resize import Settle
from kilonova.operations.work import Tools
from kilonova.store import moves


def confirm_overdue(tools: Tools, acceptor: Acceptor) -> int:
    """Accept a confirmation for each; returns how many. Nothing happens while the window is 0."""
    window = tools.options.resize_confirm_window
    if not window:
        return 0
    before = stamp(tools.clock.now() - timedelta(seconds=window))
    accepted = 0

    def look(connection: Any) -> tuple[Any, dict[str, Any]]:
        overdue = moves.unconfirmed(connection, before)
        return overdue, {row["uuid"]: moves.of_server(connection, row["uuid"], {"finished"}) for row in overdue}

    for cell, (overdue, records) in tools.store.ask(look, tools.store.working):
        for row in overdue:
            context = Context(user_id=row["user_id"], project_id=row["project_id"], roles=("admin",))
            try:
                acceptor.accept(context, cell, row, "confirm_resize", Settle(migration=records[row["uuid"]][0]["uuid"]))
            except WrongState:
                continue  # its owner was quicker
            accepted += 1
    return accepted
