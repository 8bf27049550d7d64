"""What a compute host tells the others: that it lives, what it has, which guests run; and what it learns from that."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from kilonova.agent.inventory import inventory
from kilonova.agent.monitors import monitors_of
from kilonova.agent.notices import HostNotices
from kilonova.agent.options import AgentOptions
from kilonova.clients.placement.contract import Inventories
from kilonova.hypervisor.contracts import DiskUse, HypervisorUnavailable, Moves, NodeFacts
from kilonova.kit import codec, metrics
from kilonova.kit.errors import Conflict, KilonovaError, NotFound, Unavailable
from kilonova.kit.rpc.contract import Address, Bus

LOG = logging.getLogger(__name__)
CONDUCTOR = Address("conductor")
_TIMEOUT = 30.0
DISABLED = "COMPUTE_STATUS_DISABLED"


_RESOURCES = metrics.gauge("kilonova_host_resources", "What this host has and uses", "node", "resource", "kind")


def _tell(nodes: Sequence[NodeFacts]) -> None:
    for node in nodes if _RESOURCES.on else ():
        _RESOURCES.put(node.running_guests, node.name, "guests", "used")
        for name, total, used in (
            ("vcpus", node.vcpus, node.vcpus_used),
            ("memory_mb", node.memory_mb, node.memory_used_mb),
            ("disk_gb", node.disk_gb, node.disk_used_gb),
        ):
            _RESOURCES.put(total, node.name, name, "total")
            _RESOURCES.put(used, node.name, name, "used")


def _counters(disk: DiskUse) -> dict[str, int]:
    return {
        "reads": disk.read_requests or 0,
        "read_bytes": disk.read_bytes or 0,
        "writes": disk.write_requests or 0,
        "write_bytes": disk.write_bytes or 0,
    }


class Reporter:
    """One compute service's reports."""

    notices: HostNotices | None = None
    """Where anybody listens to notifications."""

    def __init__(self, host: str, driver: Any, bus: Bus, placement: Inventories | None, options: AgentOptions) -> None:
        self.host = host
        self._monitors = monitors_of(options.compute_monitors)
        self._driver = driver
        self._bus = bus
        self._placement = placement
        self._options = options
        self._told: dict[str, tuple[Any, ...]] = {}

    def alive(self) -> None:
        """Say that this service lives. Raises NoAnswer, Unavailable."""
        self._ask("host.alive", {})

    def resources(self) -> None:
        """Report nodes to the conductor and their inventory to Placement; a node that cannot be is logged.

        Raises NoAnswer, and Unavailable of Placement once all nodes were tried: the loop then tries again soon.
        """
        away: Unavailable | None = None
        nodes = self._nodes()
        _tell(nodes)
        state = self._ask("host.nodes", {"nodes": [codec.pack(node) for node in nodes]})
        for node in nodes:
            try:
                self._offer(node, disabled=bool(state["disabled"]))
            except Unavailable as error:
                LOG.warning("Node %s is not in Placement yet: %s", node.name, error)
                away = error
            except KilonovaError as error:
                LOG.warning("Node %s cannot be offered to Placement: %s", node.name, error)
        if away is not None:
            raise away

    def _nodes(self) -> Sequence[NodeFacts]:
        try:
            nodes: Sequence[NodeFacts] = self._driver.nodes()
        except HypervisorUnavailable as error:
            if self.notices is not None:
                self.notices.connect_failed(error)
            raise
        if not self._monitors:
            return nodes
        measured = {name: value for monitor in self._monitors for name, value in monitor.read().items()}
        if self.notices is not None:
            for node in nodes:
                self.notices.measured(node, measured)
        return [replace(node, metrics=measured) for node in nodes]

    def _offer(self, node: NodeFacts, *, disabled: bool) -> None:
        if self._placement is None:
            return
        seen = (node.vcpus, node.memory_mb, node.disk_gb, node.traits, disabled)
        if self._told.get(node.uuid) == seen:
            return
        self._placement.ensure_provider(node.uuid, node.name)
        known = self._placement.inventory(node.uuid)
        self._placement.set_inventory(node.uuid, inventory(node, self._options, known))
        own = {trait for trait in self._placement.traits(node.uuid) if trait.startswith("CUSTOM_")}
        wanted = set(node.traits) | own | ({DISABLED} if disabled else set())
        self._placement.set_traits(node.uuid, wanted)
        self._told[node.uuid] = seen

    def guests(self) -> None:
        """Compare the guests here with what the database wants; remove the unwanted, tell of changed power states."""
        found = {guest.uuid: guest for guest in self._driver.guests()}
        report = {uuid: int(guest.power) for uuid, guest in found.items()}
        kept = list(self._driver.kept()) if isinstance(self._driver, Moves) else []
        payload = {"guests": report, **({"kept": kept} if kept else {})}
        verdict: Mapping[str, Any] = self._ask("host.guests", payload)
        for uuid in verdict["unwanted"]:
            self._unwanted(uuid)
        for uuid in verdict.get("moved", ()):
            LOG.info("Guest %s was brought up elsewhere while this host was away: removed", uuid)
            self._driver.destroy(uuid)
        for uuid in verdict.get("unneeded", ()):
            LOG.info("Nobody comes back for what was set aside of %s: removed", uuid)
            self._driver.let_go(uuid)
        if verdict.get("moved"):
            self.guests()  # only now that they are gone, what they had claimed here is given up

    def audit(self) -> None:
        """Have the usage of the last period that is over told, if it was not yet."""
        self._ask("host.audit", {"period": self._options.instance_usage_audit_period})

    def resizes(self) -> None:
        """Have the resizes that came here and that nobody confirmed in time confirmed."""
        self._ask("host.resizes", {"window": self._options.resize_confirm_window})

    def volumes(self, leaving: tuple[str, str] | None = None) -> None:
        """Say what running guests do with their volumes; of ``leaving`` (guest, volume) alone, for the last time."""
        found = []
        for uuid in (leaving[0],) if leaving else [guest.uuid for guest in self._driver.guests()]:
            try:
                disks = self._driver.diagnostics(uuid).disks
            except (NotFound, Conflict):  # it is gone by now, or does not run
                continue
            for disk in disks:
                if disk.volume_id is not None and (leaving is None or disk.volume_id == leaving[1]):
                    found.append({"server": uuid, "volume": disk.volume_id, **_counters(disk)})
        if found:
            self._ask("host.volumes", {"volumes": found, "last": leaving is not None})

    def detaching(self, uuid: str, volume_id: str) -> None:
        """A volume is about to leave a guest: its last counters, where they are polled. Never in the way of that."""
        if not self._options.volume_usage_poll_interval:
            return
        try:
            self.volumes((uuid, volume_id))
        except KilonovaError as error:
            LOG.warning("The last usage of volume %s is not known: %s", volume_id, error)

    def migration(self, uuid: str, counters: Mapping[str, Any]) -> Mapping[str, Any]:
        """Say how far a live migration is; a conductor that does not answer wants nothing of it."""
        try:
            wish: Mapping[str, Any] = self._ask("host.migration", {"migration": uuid, "counters": dict(counters)})
        except Unavailable as error:
            LOG.warning("Migration %s could not be reported: %s", uuid, error)
            return {"cancel": False, "force": False}
        return wish

    def _unwanted(self, uuid: str) -> None:
        action = self._options.running_deleted_instance_action
        LOG.warning("Guest %s belongs to no server of this host: %s", uuid, action)
        if action == "reap":
            self._driver.destroy(uuid)
        elif action == "shutdown":
            self._driver.stop(uuid, 0)

    def _ask(self, method: str, payload: Mapping[str, Any]) -> Any:
        return self._bus.call(CONDUCTOR, method, {"host": self.host, **payload}, timeout=_TIMEOUT)
