"""What compute hosts have told of their servers: who existed in a period, and what is done with volumes."""

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from kilonova.domain.audit_period import last_completed
from kilonova.kit.clock import stamp
from kilonova.operations.work import Tools
from kilonova.store import servers, usage
from kilonova.store.cells import Cell

LOG = logging.getLogger(__name__)
_TAKES_AT_MOST = timedelta(minutes=10)
"""An audit under way for longer is one whose conductor died: it is begun again."""
COUNTERS = ("reads", "read_bytes", "writes", "write_bytes")


def audit(tools: Tools, cell: Cell, host: str, period: str) -> None:
    """Tell of each server that the host had in the last period (``month`` …) that is over, once. Raises BadPeriod."""
    begun = tools.clock.now()
    begin, end = (stamp(moment) for moment in last_completed(period, begun))
    key = {"host": host, "period_beginning": begin, "period_ending": end}
    with cell.database.write() as connection:
        if not usage.begin_audit(connection, key, stamp(begun), stamp(begun - _TAKES_AT_MOST)):
            return
    with cell.database.read() as connection:
        found = usage.on_host(connection, host, begin, end)
    errors = 0
    for row in found if tools.announcer is not None else ():
        try:
            tools.announcer.exists(cell, row, (begin, end))
        except Exception:  # one server that cannot be told must not hide the others
            LOG.exception("The usage of server %s could not be told", row["uuid"])
            errors += 1
    seconds = (tools.clock.now() - begun).total_seconds()
    message = f"Instance usage audit ran for host {host}, {len(found)} instances in {seconds:.2f} seconds."
    values = {"instances": len(found), "errors": errors, "message": message, "updated_at": stamp(tools.clock.now())}
    with cell.database.write() as connection:
        usage.end_audit(connection, key, values)
    LOG.info("%s", message)


def volumes(tools: Tools, cell: Cell, found: Sequence[Mapping[str, Any]], *, last: bool) -> None:
    """Take up counters (server, volume and ``COUNTERS``) and tell them; ``last``: before they are detached."""
    now = stamp(tools.clock.now())
    for seen in found:
        with cell.database.write() as connection:
            row, volume_id = servers.get(connection, seen["server"]), seen["volume"]
            if row is None:
                continue
            counters = {name: int(seen[name]) for name in COUNTERS}
            key = {"server_uuid": row["uuid"], "volume_id": volume_id}
            sums = usage.count_volume(connection, key, counters, now, last=last)
        if tools.announcer is not None:
            tools.announcer.volume_used(row, volume_id, sums, now)
