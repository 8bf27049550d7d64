"""Where a port is plugged: ``binding:*``. The lab has one way, a tap device on the network's Linux bridge."""

from collections.abc import Mapping

from kilonova.lab.networks.networks import bridge_name
from kilonova.lab.networks.resources import TEXT, Attribute
from kilonova.lab.networks.store.documents import Document

UNBOUND, BRIDGE, FAILED = "unbound", "bridge", "binding_failed"
_VNIC_TYPES = ["normal", "direct", "direct-physical", "macvtap", "baremetal", "virtio-forwarder", "vdpa"]

ATTRIBUTES = (
    Attribute(name="binding:host_id", schema=TEXT, default="", privileged=True, hidden=True),
    Attribute(name="binding:profile", schema={"type": ["object", "null"]}, default={}, privileged=True, hidden=True),
    Attribute(name="binding:vnic_type", schema={"type": "string", "enum": _VNIC_TYPES}, default="normal"),
    Attribute(name="binding:vif_type", schema=TEXT, create=False, update=False, hidden=True),
    Attribute(name="binding:vif_details", schema={"type": "object"}, create=False, update=False, hidden=True),
)


def bind(port: Document, *, filtered: bool, failed: Mapping[str, str]) -> bool:
    """Make binding and status follow host and plumbing; True when something changed.

    ``filtered``: security groups hold between guests of one bridge. ``failed``: networks that could not be plumbed.
    """
    before = (port["binding:vif_type"], port["binding:vif_details"], port["status"])
    host = port["binding:host_id"]
    if port["device_owner"].startswith("network:"):
        up = port["network_id"] not in failed and port["device_owner"] != "network:floatingip"
        after: tuple[str, Document, str] = (
            UNBOUND,
            {},
            "ACTIVE" if up else ("N/A" if "floatingip" in port["device_owner"] else "DOWN"),
        )
    elif not host:
        after = (UNBOUND, {}, "DOWN")
    elif port["binding:vnic_type"] != "normal" or port["network_id"] in failed:
        after = (FAILED, {}, "DOWN")
    else:
        details = {
            "bridge_name": bridge_name(port["network_id"]),
            "port_filter": filtered,
            "connectivity": "l2",
        }
        after = (BRIDGE, details, "ACTIVE" if port["admin_state_up"] else "DOWN")
    port["binding:vif_type"], port["binding:vif_details"], port["status"] = after
    return before != after


def tap_name(port_id: str) -> str:
    """The name compute gives the port's tap device (Nova's convention)."""
    return f"tap{port_id[:11]}"
