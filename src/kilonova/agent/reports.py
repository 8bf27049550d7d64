"""What a compute host tells the others: that it lives, what it has, which guests run; and what it learns from that."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from kilonova.agent.inventory import inventory
from kilonova.agent.options import AgentOptions
from kilonova.clients.placement.contract import Inventories
from kilonova.hypervisor.contracts import Moves, NodeFacts
from kilonova.kit import codec, metrics
from kilonova.kit.errors import KilonovaError, Unavailable
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


class Reporter:
    """One compute service's reports."""

    def __init__(self, host: str, driver: Any, bus: Bus, placement: Inventories | None, options: AgentOptions) -> None:
        self.host = host
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
        nodes = self._driver.nodes()
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
