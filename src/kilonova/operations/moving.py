"""What all moves of a server share: its record, its claims on two hosts, its quota, its ports, its way back.

While a server moves, its claim on the source is held in Placement by the move's own record, and the server holds the
destination's: both in one request, so that at no moment either is free for others or counted for nobody.
"""

import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from kilonova.clients.neutron.contract import PortBindingFailed
from kilonova.domain import server as states
from kilonova.hypervisor.contracts import HypervisorUnavailable
from kilonova.kit import codec
from kilonova.kit.errors import Conflict, KilonovaError, Unavailable
from kilonova.kit.rpc.contract import NoAnswer
from kilonova.operations import grouping, ports, volumes
from kilonova.operations.build import over_limit, server_request, sketch_of
from kilonova.operations.guests import network_columns, specification
from kilonova.operations.hosts import HostDown
from kilonova.operations.work import Row, StepFailed, Work
from kilonova.scheduling.request import ServerRequest
from kilonova.store import moves, server_mappings, servers
from kilonova.store import server_groups as group_rows

_OF_HOST = frozenset({HypervisorUnavailable.__name__})
LOG = logging.getLogger(__name__)
KEPT = (
    "vm_state",
    "power_state",
    "host",
    "node",
    "availability_zone",
    "flavor_id",
    "flavor",
    "vcpus",
    "memory_mb",
    "disk_gb",
    "disk_config",
    "network_info",
    "addresses",
    "ips",
)
"""Columns of a server that a move changes; its record keeps what they were."""


class MoveGone(Conflict):
    """The record of the move is not there any more."""

    template = "Migration {uuid} is gone"


class Move:
    """One move while an operation works on it."""

    def __init__(self, work: Work, uuid: str) -> None:
        self.work = work
        self.uuid = uuid
        with work.cell.database.read() as connection:
            record = moves.get(connection, uuid)
        if record is None:
            raise MoveGone(uuid=uuid)
        self.record = record
        self.before: dict[str, Any] = codec.loads(record["before"])
        self._reached: dict[str, Any] | None = self.before.pop("attachments", None)
        self.server: Row = {**work.server(), **self.before}
        """The server as it was before the move, whatever has been written since."""

    @property
    def source(self) -> str:
        """Where the server was."""
        return str(self.before["host"])

    @property
    def ran(self) -> bool:
        """The guest was on."""
        return bool(self.before["vm_state"] != states.STOPPED)

    def note(self, **values: Any) -> None:
        """Write to the record."""
        with self.work.cell.database.write() as connection:
            moves.update(connection, self.uuid, {**values, "updated_at": self.work.now()})

    def wanted_off(self) -> bool:
        """Somebody called it off."""
        with self.work.cell.database.read() as connection:
            record = moves.get(connection, self.uuid)
        return bool(record and record["cancel"])

    # -- the record, the claims --
    def begin(self, *, failed: str = "error") -> None:
        """From here on a failure is written into the record, last of all."""

        def end() -> None:
            self.note(status="cancelled" if self.wanted_off() else failed)

        self.work.on_undo("migration", end)

    def place(self, server: Row, task_state: str, **wishes: Any) -> dict[str, Any]:
        """A host for ``server`` (its columns as they shall be), claimed. Raises StepFailed."""
        work, placer = self.work, self.work.tools.chooser

        def note(host: str | None, node: str | None) -> None:
            self.note(dest_compute=host, dest_node=node)

        def choose() -> dict[str, Any]:
            placer.move_back(work.uuid, self.uuid)  # a conductor before this one may have died on its claim
            ways = grouping.Ways(
                place=lambda request: placer.place(request, self.uuid),
                note=note,
                release=lambda: placer.move_back(work.uuid, self.uuid),
            )
            found = grouping.placed_within_group(work, self._group(), self._request(server, wishes), ways)
            self.note(dest_compute=found["host"], dest_node=found["node"], status="pre-migrating")
            return found

        placed: dict[str, Any] = work.step(
            "schedule",
            choose,
            undo=lambda: placer.move_back(work.uuid, self.uuid),
            save=lambda _found: {"task_state": task_state},
        )
        return placed

    def _request(self, server: Row, wishes: Mapping[str, Any]) -> Callable[[Any], ServerRequest]:
        zone = server["pinned_zone"] if not wishes.get("forced") else None
        return lambda group: replace(
            server_request(server, group=group), availability_zone=zone, source_cell=self.work.cell.uuid, **wishes
        )

    def _group(self) -> str | None:
        with self.work.tools.store.api.read() as connection:
            found = group_rows.of_server(connection, self.work.uuid)
        return found[0] if found else None

    def settle_claims(self) -> None:
        """The server stays where it is: what the source held for it is free."""
        self.work.tools.chooser.release(self.uuid)

    def take_claims_back(self) -> None:
        """The server is back: what it held elsewhere is free."""
        self.work.tools.chooser.move_back(self.work.uuid, self.uuid)

    def recount(self, to: Row, *, sketch: bool = False) -> None:
        """Let the server count for what ``to`` says, and be sketched so. Raises OverLimit, Unavailable."""
        quota = self.work.tools.quota
        if quota.unified:
            quota = quota.with_unified(self.work.tools.limits.of(to["project_id"]))
        wanted = {"cores": to["vcpus"], "ram": to["memory_mb"]}

        def write(connection: Any) -> None:
            limits = None if quota.unlimited else quota.limits()
            if not server_mappings.recount(connection, self.work.uuid, wanted, limits, final=quota.unified):
                more = {
                    "instances": 0,
                    "cores": max(0, to["vcpus"] - self.server["vcpus"]),
                    "ram": max(0, to["memory_mb"] - self.server["memory_mb"]),
                }
                raise over_limit(connection, (to["project_id"], to["user_id"]), more, quota)
            if sketch:
                server_mappings.sketch(connection, self.work.uuid, sketch_of(to))

        self.work.tools.store.api.transact(write)

    def count_back(self) -> None:
        """As before the move, whatever the limits are by now."""
        to = {"cores": self.before["vcpus"], "ram": self.before["memory_mb"]}
        self.work.tools.store.api.transact(
            lambda connection: server_mappings.recount(connection, self.work.uuid, to, None)
        )

    # -- the row, the ports --
    def row_back(self) -> None:
        """The server's row as it was; the state of its life is not the move's to change."""
        states_apart = {name: self.before[name] for name in KEPT if name not in {"vm_state", "power_state"}}
        with self.work.cell.database.write() as connection:
            servers.update(connection, self.work.uuid, states_apart)

    def rebind(self, placed: Row, extra: Row) -> list[dict[str, Any]]:
        """Ports bound to the new host, and the row pointing there, with ``extra`` columns."""
        work = self.work

        def bind() -> list[dict[str, Any]]:
            return self.bound_to(placed["host"])

        def columns(nics: list[dict[str, Any]]) -> Row:
            where = {"host": placed["host"], "node": placed["node"], "availability_zone": placed["zone"]}
            return {**where, **network_columns(nics), **extra}

        work.on_undo("row", self.row_back)
        nics: list[dict[str, Any]] = work.step("ports", bind, undo=lambda: self.bound_to(self.source), save=columns)
        return nics

    def bound_to(self, host: str) -> list[dict[str, Any]]:
        """The server's NICs, bound to ``host``; nothing to do for a server without."""
        if self.before["network_info"] == "[]":
            return []
        known = [ports.remembered(entry) for entry in codec.loads(self.before["network_info"])]
        try:
            return [ports.nic(port) for port in self.work.tools.networks.bind(self.work.uuid, host, known)]
        except PortBindingFailed as error:
            raise StepFailed(reason=str(error)) from error

    # -- the volumes --
    @property
    def has_volumes(self) -> bool:
        """Some of its disks belong to the volume service."""
        return bool(self.server["volumes"] != "[]")

    def bring_volumes(self, host: str) -> None:
        """Step: its volumes exported to ``host`` as well; the record keeps how the source reaches them.

        Cinder refuses one host two attachments of a volume: a server that stays on its host keeps those it has.
        """

        def bring() -> None:
            if self._reached is None:
                self._reached = volumes.reached(self.work)
                self.note(before=codec.text({**self.before, "attachments": self._reached}))
            volumes.bring(self.work, host, [old["attachment_id"] for old in self._reached.values()])

        if self.has_volumes and host != self.source:
            self.work.step("volumes", bring)

    def bring_volumes_home(self) -> None:
        """Step: its volumes are reached by the source alone."""
        if self.has_volumes and self.record["dest_compute"] != self.source:
            self.work.step("volumes", lambda: volumes.bring_home(self.work, self.source, self._reached or {}))

    def use_volumes(self, how: Callable[[Work], None]) -> None:
        """Step: the guest has its volumes (``volumes.complete_all``), and only there (``volumes.settle``)."""
        if self.has_volumes:
            self.work.step("attached", lambda: how(self.work))

    def _volumes_back(self) -> None:
        if self._reached is not None:
            volumes.take_back(self.work, self._reached)

    # -- hosts --
    def ask(self, host: str, call: str, arguments: Mapping[str, Any]) -> Any:
        """Ask a host that has to be there: one that is down fails the move at once. Raises StepFailed."""
        try:
            return self.work.tools.hosts.ask(host, call, arguments, operation=self.work.id)
        except Unavailable as error:
            if isinstance(error, HostDown | NoAnswer) or error.fields.get("remote_type") in _OF_HOST:
                raise StepFailed(reason=str(error)) from error
            raise

    def tell(self, host: str, call: str, arguments: Mapping[str, Any], *, revoke: bool = False) -> None:
        """Ask a host to let something go. One that is down finds out itself when it is back.

        ``revoke``: what this operation asked of the host before must not begin any more.
        """
        operation, revokes = f"{self.work.id}:{call}", self.work.id if revoke else None
        with contextlib.suppress(HostDown):
            self.work.tools.hosts.ask(host, call, arguments, operation=operation, revokes=revokes)

    def clear_on_undo(self, host: str) -> None:
        """On failure nothing of this move is left on its destination, and then its volumes are the source's alone."""
        arguments = {"uuid": self.work.uuid, "token": self.uuid}
        if self.has_volumes:
            self.work.on_undo("volumes", self._volumes_back)
        self.work.on_undo("destination", lambda: self.tell(host, "abandon", arguments, revoke=True))

    def spec(self, server: Row, **more: Any) -> dict[str, Any]:
        """The guest's specification by the given columns."""
        return specification(self.work, server, **more)

    def back_at_source(self) -> None:
        """Undo: the guest is on its source as it was. Where that cannot be, the server is in ERROR and says why."""
        arguments = {"spec": self.spec(self.server), "token": self.uuid, "power": self.ran}
        try:
            self.work.tools.hosts.ask(
                self.source, "take_back", arguments, operation=f"{self.work.id}:take_back", revokes=self.work.id
            )
        except (HostDown, NoAnswer) as error:
            self.in_error(f"It could not be started on {self.source} again: {error}. Reboot it hard when that is back")
        except KilonovaError as error:
            if error.kind == "unavailable":
                raise
            self.in_error(f"It could not be started on {self.source} again: {error}")

    def in_error(self, words: str) -> None:
        """The server is in ERROR; its row says why."""
        LOG.error("Server %s: %s", self.work.uuid, words)
        now = self.work.now()
        fault = {"code": 500, "created": now[:19] + "Z", "message": words[:255], "details": words}
        with self.work.cell.database.write() as connection:
            servers.update(
                connection, self.work.uuid, {"vm_state": states.ERROR, "fault": codec.text(fault), "updated_at": now}
            )
