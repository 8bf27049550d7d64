"""The conductor's answers to compute hosts, which never touch the database themselves."""

import logging
import uuid as uuids
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from kilonova.domain import server as states
from kilonova.domain.power import PowerState
from kilonova.kit import codec
from kilonova.kit.clock import stamp
from kilonova.operations import usage
from kilonova.operations.auto_confirm import confirm_overdue
from kilonova.operations.work import Row, Tools
from kilonova.store import hosts as host_rows
from kilonova.store import moves, servers
from kilonova.store.cells import Cell

LOG = logging.getLogger(__name__)
_REPORT_TAKES = timedelta(seconds=5)
_STATE_OF_POWER = {
    # (vm_state, power as seen) → vm_state that is true
    (states.ACTIVE, PowerState.SHUTDOWN): states.STOPPED,
    (states.ACTIVE, PowerState.CRASHED): states.STOPPED,
    (states.ACTIVE, PowerState.PAUSED): states.PAUSED,
    (states.STOPPED, PowerState.RUNNING): states.ACTIVE,
    (states.PAUSED, PowerState.RUNNING): states.ACTIVE,
    (states.PAUSED, PowerState.SHUTDOWN): states.STOPPED,
    (states.SUSPENDED, PowerState.RUNNING): states.ACTIVE,
}


class HostReports:
    """Handlers of the ``conductor`` topic that hosts call."""

    def __init__(self, tools: Tools, cell: Cell) -> None:
        self._tools = tools
        self._cell = cell

    def handlers(self) -> dict[str, Callable[[Mapping[str, Any]], Any]]:
        """Method → handler."""
        return {
            "host.alive": self.alive,
            "host.nodes": self.nodes,
            "host.guests": self.guests,
            "host.migration": self.migration,
            "host.resizes": self.resizes,
            "host.audit": self.audit,
            "host.volumes": self.volumes,
        }

    def _now(self) -> str:
        return stamp(self._tools.clock.now())

    def _moment_ago(self) -> str:
        """What changed since may not have been so when the host looked."""
        return stamp(self._tools.clock.now() - _REPORT_TAKES)

    def alive(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """The host's compute service lives."""
        with self._cell.database.write() as connection:
            new = self._seen(connection, payload["host"])
            service = host_rows.service(connection, payload["host"]) if new else None
        if service is not None:
            self._made(service)
        return {}

    def _seen(self, connection: Any, host: str) -> bool:
        return host_rows.heartbeat(connection, host, host_rows.COMPUTE, str(uuids.uuid4()), self._now())

    def _made(self, service: Row) -> None:
        if self._tools.announcer is not None:
            self._tools.announcer.service_made(service)

    def resizes(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Resizes that came to the host and waited for ``window`` seconds are confirmed; answers how many."""
        return {"confirmed": confirm_overdue(self._tools, self._cell, payload["host"], payload["window"])}

    def audit(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """The host wants the usage of the last ``period`` to be told, if it was not yet."""
        usage.audit(self._tools, self._cell, payload["host"], payload["period"])
        return {}

    def volumes(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """What the host's guests did with their volumes."""
        usage.volumes(self._tools, self._cell, payload["volumes"], last=payload["last"])
        return {}

    def nodes(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """The host's nodes and their facts; answers whether the service is disabled."""
        host, now = payload["host"], self._now()
        with self._cell.database.write() as connection:
            new = self._seen(connection, host)
            for node in payload["nodes"]:
                host_rows.report_node(connection, host, node["uuid"], node["name"], codec.text(node), now)
            service = host_rows.service(connection, host)
        if new and service is not None:
            self._made(service)
        return {"disabled": bool(service and service["disabled"])}

    def guests(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """The host's guests; answers which of them nobody wants, and takes up their power states.

        ``kept``: servers of which the host keeps disks aside. The answer tells those that nobody comes back for
        (``unneeded``), and the guests that were evacuated while the host was down (``moved``).
        """
        host, reported = payload["host"], payload["guests"]
        kept = payload.get("kept", ())
        with self._cell.database.read() as connection:
            left = {row["server_uuid"]: row for row in moves.evacuated_from(connection, host)}
            needed = moves.kept_for(connection, host, kept)
            mine = {row["uuid"]: row for row in servers.on_host(connection, host)}
            others = {row["uuid"]: row for row in servers.get_many(connection, [u for u in reported if u not in mine])}
        for uuid, power in reported.items():
            if uuid in mine:
                self._take_up(mine[uuid], PowerState(power))
        self._forget_claims(row for uuid, row in left.items() if uuid not in reported and uuid not in kept)
        unwanted = [uuid for uuid, row in others.items() if _unwanted(row, host)]
        return {
            "unwanted": [uuid for uuid in unwanted if uuid not in left],
            "moved": [uuid for uuid in unwanted if uuid in left],
            "unneeded": [uuid for uuid in kept if uuid not in needed],
        }

    def _forget_claims(self, evacuated: Iterable[Row]) -> None:
        """Nothing is left on the host of servers that were evacuated: what was claimed for them there is free."""
        for record in evacuated:
            self._tools.chooser.release(record["uuid"])
            with self._cell.database.write() as connection:
                moves.update(connection, record["uuid"], {"status": "completed", "updated_at": self._now()})

    def migration(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """How far a live migration is; answers what users want of it meanwhile."""
        values = {**payload["counters"], "updated_at": self._now()}
        record = self._cell.database.transact(
            lambda connection: moves.progress(connection, payload["migration"], values)
        )
        if record is None:
            return {"cancel": True, "force": False}
        cancel = record["cancel"] or record["task_state"] in {None, "deleting"}
        return {"cancel": bool(cancel), "force": bool(record["force_complete"])}

    def _take_up(self, row: Mapping[str, Any], power: PowerState) -> None:
        """A guest that shut itself down is a stopped server; one that is or just was worked on is left alone."""
        if row["task_state"] is not None or row["power_state"] == power or row["updated_at"] > self._moment_ago():
            return
        values: dict[str, Any] = {"power_state": int(power), "updated_at": self._now()}
        truth = _STATE_OF_POWER.get((row["vm_state"], power))
        if truth is not None:
            LOG.info("Server %s is %s by itself", row["uuid"], truth)
            values["vm_state"] = truth
        with self._cell.database.write() as connection:
            servers.update(connection, row["uuid"], values, servers.idle())


def _unwanted(row: Mapping[str, Any], host: str) -> bool:
    """Deleted, or at home elsewhere or nowhere. A guest whose server is unknown may be of another cloud: it is left.

    A server that is being built names its host before the host is asked to build it, so a guest anywhere else is what
    an earlier try left behind. Other work may move a guest before the row follows.
    """
    if row["deleted"]:
        return True
    return row["host"] != host and (row["task_state"] is None or row["vm_state"] == states.BUILDING)
