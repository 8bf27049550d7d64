"""Networks: each is one Linux bridge."""

from kilonova.lab.networks import errors, quotas
from kilonova.lab.networks.resources import FLAG, STANDARD, TEXT, Attribute, Resource
from kilonova.lab.networks.store.documents import Document
from kilonova.lab.networks.work import Work

DHCP_OWNER = "network:dhcp"
AVAILABILITY_ZONE = "nova"

ATTRIBUTES = (
    *STANDARD,
    Attribute(name="admin_state_up", schema=FLAG, default=True),
    Attribute(name="shared", schema=FLAG, default=False, privileged=True),
    Attribute(name="router:external", schema=FLAG, default=False, privileged=True),
    Attribute(name="is_default", schema=FLAG, default=False, privileged=True),
    Attribute(name="port_security_enabled", schema=FLAG, default=True),
    Attribute(name="mtu", schema={"type": "integer", "minimum": 576, "maximum": 65535}),
    Attribute(
        name="availability_zone_hints",
        schema={"type": "array", "items": TEXT, "maxItems": 10},
        default=[],
        update=False,
    ),
)


def bridge_name(network_id: str) -> str:
    """The network's bridge on the host; an interface name has 15 characters at most."""
    return f"kn-{network_id[:11]}"


def _make(work: Work, network: Document) -> Document:
    quotas.demand(work, "network", network["project_id"])
    unknown = [zone for zone in network["availability_zone_hints"] if zone != AVAILABILITY_ZONE]
    if unknown:
        raise errors.InvalidInput(field="availability_zone_hints", reason=f"there is no zone '{unknown[0]}'")
    network.setdefault("mtu", work.options.mtu)
    network |= {
        "status": "ACTIVE",
        "availability_zones": [AVAILABILITY_ZONE],
        "ipv4_address_scope": None,
        "ipv6_address_scope": None,
    }
    return work.docs.insert("network", network)


def _change(work: Work, network: Document, changes: Document) -> Document:
    ports = work.docs.select("port", parents=[network["id"]])
    if network["shared"] and changes.get("shared") is False and not network["router:external"]:
        others = {p["project_id"] for p in ports} - {network["project_id"], ""}
        if others:
            raise errors.InvalidSharedSetting(network=network["name"] or network["id"])
    if network["router:external"] and changes.get("router:external") is False:
        owners = {p["device_owner"] for p in ports}
        if owners & {"network:router_gateway", "network:floatingip"}:
            raise errors.NetworkInUse(network_id=network["id"])
    network.update(changes)
    return work.docs.save("network", network)


def _remove(work: Work, network: Document) -> None:
    ports = work.docs.select("port", parents=[network["id"]])
    if any(port["device_owner"] != DHCP_OWNER for port in ports):
        raise errors.NetworkInUse(network_id=network["id"])
    for port in ports:
        work.docs.delete("port", port["id"])
    for subnet in work.docs.select("subnet", parents=[network["id"]]):
        work.docs.delete("subnet", subnet["id"])
    work.docs.delete("network", network["id"])


def _visible(work: Work, networks: list[Document]) -> list[Document]:
    return [n for n in networks if work.caller.owns(n) or n["shared"] or n["router:external"]]


def _dress(work: Work, networks: list[Document]) -> None:
    subnets: dict[str, list[str]] = {network["id"]: [] for network in networks}
    for subnet in work.docs.select("subnet", parents=subnets):
        subnets[subnet["network_id"]].append(subnet["id"])
    for network in networks:
        network["subnets"] = subnets[network["id"]]


RESOURCE = Resource(
    kind="network",
    plural="networks",
    attributes=ATTRIBUTES,
    make=_make,
    change=_change,
    remove=_remove,
    visible=_visible,
    dress=_dress,
)
