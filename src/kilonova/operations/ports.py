"""A server's ports while it is built and deleted: made and bound in Neutron, and given back."""

import contextlib
import logging
from collections.abc import Collection
from typing import Any

from kilonova.clients.neutron.facts import NetworkRequest, PortFacts, PortOwner
from kilonova.domain.power import PowerState
from kilonova.kit import codec
from kilonova.kit.errors import KilonovaError
from kilonova.operations.hosts import HostDown
from kilonova.operations.work import Row, Work

LOG = logging.getLogger(__name__)
_LOOK_AGAIN = 2.0
"""Seconds between looks at Neutron; its event rings earlier."""


class PortsNotActive(KilonovaError):
    """Neutron has not wired the ports in time."""

    template = "Virtual interface creation failed: ports {ports} are not active after {seconds} seconds"


def plug(work: Work, server: Row, host: str, zone: str, attempt: int) -> list[dict[str, Any]]:
    """The server's NICs, bound to ``host``; an empty list when it asked for none."""
    wanted = codec.loads(server["networks"])
    if not wanted:
        return []
    name = "ports" if attempt == 0 else f"ports-{attempt}"

    requests = [codec.unpack(request, NetworkRequest) for request in wanted]
    owner = PortOwner(server_id=work.uuid, project_id=server["project_id"], availability_zone=zone)
    groups = [group["id"] for group in codec.loads(server["security_groups"]) if group.get("id")]

    def allocate() -> Any:
        found = work.tools.networks.allocate(owner, requests, host=host, security_groups=groups)
        return [nic(port) for port in found]

    nics: list[dict[str, Any]] = work.step(name, allocate, undo=lambda: release(work, server))
    return nics


def rebind(work: Work, server: Row, host: str, zone: str, attempt: int) -> list[dict[str, Any]]:
    """The NICs of a server that has its ports already, bound to ``host``; taken back, they are bound to none."""
    del zone
    known = [remembered(entry) for entry in codec.loads(server["network_info"])]

    def bind() -> Any:
        return [nic(port) for port in work.tools.networks.bind(work.uuid, host, known)]

    name = "ports" if attempt == 0 else f"ports-{attempt}"
    nics: list[dict[str, Any]] = work.step(name, bind, undo=lambda: work.tools.networks.unbind(work.uuid))
    return nics


def nic(port: PortFacts) -> dict[str, Any]:
    """A port as ``hypervisor.contracts.Nic`` packed, with what the API and a later look at Neutron want besides."""
    return {
        "port_id": port.id,
        "mac": port.mac,
        "network_id": port.network_id,
        "label": port.network_name,
        "vif_type": port.vif_type,
        "devname": port.devname,
        "bridge": port.bridge,
        "mtu": port.mtu,
        "vnic_type": port.vnic_type,
        "details": dict(port.vif_details),
        "tag": port.tag,
        "active": port.status == "ACTIVE",
        "created": port.created,
        "fixed_ips": [codec.pack(fixed) for fixed in port.fixed_ips],
    }


def release(work: Work, server: Row) -> None:
    """Delete the ports made for the server, give back the ones it was given."""
    if codec.loads(server["networks"]) or codec.loads(server["network_info"]):
        work.tools.networks.release(server["uuid"])


def release_others(work: Work, kept: Collection[str]) -> None:
    """Give back what the server has beyond ``kept``."""
    there = work.tools.networks.has_ports([work.uuid]).get(work.uuid, ())
    others = [port_id for port_id in there if port_id not in kept]
    if others:
        work.tools.networks.release(work.uuid, others)


def unplug(work: Work, host: str, entry: Row, *, revokes: str | None = None) -> None:
    """Take a NIC out of the guest. A host that is down starts the guest without it when it is back."""
    call = f"{work.id}:{entry['port_id']}"
    with contextlib.suppress(HostDown):
        arguments = {"uuid": work.uuid, "mac": entry["mac"]}
        work.tools.hosts.ask(host, "detach_nic", arguments, operation=call, revokes=revokes)


def read(work: Work, server: Row) -> list[dict[str, Any]]:
    """The server's NICs as Neutron has them now, those known before in their order and with their tags."""
    known = [remembered(entry) for entry in codec.loads(server["network_info"])]
    return [nic(port) for port in work.tools.networks.network_info(work.uuid, known)]


def remembered(entry: dict[str, Any]) -> PortFacts:
    """What a NIC of the row says of its port: enough to keep order and tags when Neutron is asked."""
    return PortFacts(
        id=entry["port_id"],
        mac=entry["mac"],
        network_id=entry["network_id"],
        network_name=entry["label"],
        tag=entry["tag"],
    )


def awaited(work: Work, nics: list[dict[str, Any]], only: Collection[str] = ()) -> bool:
    """Neutron has still to wire some of them, once they are plugged: a guest that starts is held until then."""
    return bool(work.tools.options.vif_plugging_timeout and _late(nics, only))


def let_run(
    work: Work, server: Row, nics: list[dict[str, Any]], state: dict[str, Any], attempt: int = 0
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Wait for the ports of a guest that has just started; if it was held for them, it runs from then on.

    Its NICs and its ``state`` as they are then. A guest that asks for its address only once is answered so.
    Raises StepFailed.
    """
    nics = await_active(work, server, nics, attempt)
    if state["power"] != PowerState.PAUSED:
        return nics, state
    host, call = server["host"], f"{work.id}:{attempt}"

    def unpause() -> dict[str, Any]:
        return {**state, "power": work.tools.hosts.ask(host, "unpause", {"uuid": work.uuid}, operation=call)["power"]}

    running: dict[str, Any] = work.step("unpaused" if attempt == 0 else f"unpaused-{attempt}", unpause, host=host)
    return nics, running


def await_active(
    work: Work, server: Row, nics: list[dict[str, Any]], attempt: int, *, only: Collection[str] = ()
) -> list[dict[str, Any]]:
    """Wait until Neutron has wired the ports of a guest that has started; the NICs as they are then.

    ``only``: of these ports; else of all.

    ``[DEFAULT] vif_plugging_timeout`` bounds it; ``vif_plugging_is_fatal`` says whether its end is a failure.
    Raises StepFailed. Ports that were active from the start cost nothing.
    """
    if not awaited(work, nics, only):
        return nics
    with_nics = {**server, "network_info": codec.text(nics)}

    def wait() -> list[dict[str, Any]]:
        deadline = work.tools.clock.monotonic() + work.tools.options.vif_plugging_timeout
        while True:
            found = read(work, with_nics)
            late = _late(found, only)
            left = deadline - work.tools.clock.monotonic()
            if not late:
                return found
            if left <= 0:
                return _too_late(work, late, found)
            work.demand_wanted()
            work.tools.doorbell.wait(work.uuid, min(_LOOK_AGAIN, left))

    name = "plugged" if attempt == 0 else f"plugged-{attempt}"
    waited: list[dict[str, Any]] = work.step(name, wait, announce=True)
    return waited


def _too_late(work: Work, late: list[str], found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    words = PortsNotActive(ports=", ".join(late), seconds=work.tools.options.vif_plugging_timeout)
    if work.tools.options.vif_plugging_is_fatal:
        raise words
    LOG.warning("Server %s: %s", work.uuid, words)
    return found


def _late(nics: list[dict[str, Any]], only: Collection[str]) -> list[str]:
    waited = [entry for entry in nics if not only or entry["port_id"] in only]
    return [entry["port_id"] for entry in waited if not _wired(entry)]


def _wired(entry: dict[str, Any]) -> bool:
    """Active, or of a kind that nobody wires."""
    return bool(entry.get("active", True)) or entry["vif_type"] == "unbound"
