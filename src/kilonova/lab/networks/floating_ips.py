"""Floating IPs: an address of an external network that leads to a port, by NAT on the host."""

from kilonova.lab.networks import errors, ports, quotas, routers
from kilonova.lab.networks.ports import FLOATING
from kilonova.lab.networks.resources import STANDARD, TEXT, TEXT_OR_NULL, UUID, UUID_OR_NULL, Attribute, Resource
from kilonova.lab.networks.store.documents import Document
from kilonova.lab.networks.work import Work

ATTRIBUTES = (
    *(a for a in STANDARD if a.name != "name"),
    Attribute(name="floating_network_id", schema=UUID, required=True, update=False),
    Attribute(name="subnet_id", schema=UUID_OR_NULL, update=False),
    Attribute(name="floating_ip_address", schema=TEXT, update=False),
    Attribute(name="port_id", schema=UUID_OR_NULL, default=None),
    Attribute(name="fixed_ip_address", schema=TEXT_OR_NULL, default=None),
)


def _make(work: Work, floating: Document) -> Document:
    network = work.network(floating["floating_network_id"])
    if not network["router:external"]:
        reason = f"Network {network['id']} is not a valid external network"
        raise errors.BadRequest(resource="floatingip", reason=reason)
    quotas.demand(work, "floatingip", floating["project_id"])
    subnet_id, address = floating.pop("subnet_id", None), floating.pop("floating_ip_address", None)
    wanted = {key: value for key, value in (("subnet_id", subnet_id), ("ip_address", address)) if value}
    port = ports.make_inner(work, network, FLOATING, floating["id"], [wanted] if wanted else None)
    if not port["fixed_ips"]:
        raise errors.IpAddressGenerationFailure(network_id=network["id"])
    target, fixed = floating["port_id"], floating["fixed_ip_address"]
    floating |= {
        "floating_ip_address": port["fixed_ips"][0]["ip_address"],
        "port_id": None,
        "fixed_ip_address": None,
        "router_id": None,
        "status": "DOWN",
    }
    if target is not None:
        _associate(work, floating, target, fixed)
    return work.docs.insert("floatingip", floating)


def _associate(work: Work, floating: Document, port_id: str, fixed: str | None) -> None:
    port = work.own("port", port_id)
    if not port["fixed_ips"]:
        raise errors.BadRequest(resource="floatingip", reason=f"Port {port_id} has no fixed IP address")
    entries = [e for e in port["fixed_ips"] if fixed in (None, e["ip_address"])]
    if not entries:
        raise errors.BadRequest(resource="floatingip", reason=f"Port {port_id} does not have fixed ip {fixed}")
    entry = entries[0]
    for other in work.docs.select("floatingip", parents=[port_id]):
        if other["id"] != floating["id"] and other["fixed_ip_address"] == entry["ip_address"]:
            raise errors.FloatingIPPortAlreadyAssociated(
                address=floating["floating_ip_address"], port_id=port_id, fixed_ip=entry["ip_address"]
            )
    router = routers.leading_from(work, entry["subnet_id"], floating["floating_network_id"])
    if router is None:
        raise errors.ExternalGatewayForFloatingIPNotFound(
            external_network_id=floating["floating_network_id"], subnet_id=entry["subnet_id"], port_id=port_id
        )
    work.touched(port_id)
    floating |= {
        "port_id": port_id,
        "fixed_ip_address": entry["ip_address"],
        "router_id": router["id"],
        "status": "ACTIVE",
    }


def _change(work: Work, floating: Document, changes: Document) -> Document:
    if "port_id" in changes or "fixed_ip_address" in changes:
        work.touched(floating["port_id"])
        target = changes.pop("port_id", floating["port_id"])
        fixed = changes.pop("fixed_ip_address", None)
        if target is None:
            if fixed is not None:
                raise errors.BadRequest(resource="floatingip", reason="fixed_ip_address needs a port_id")
            floating |= {"port_id": None, "fixed_ip_address": None, "router_id": None, "status": "DOWN"}
        else:
            _associate(work, floating, target, fixed)
    floating.update(changes)
    return work.docs.save("floatingip", floating)


def _remove(work: Work, floating: Document) -> None:
    work.touched(floating["port_id"])
    for port in work.docs.select("port", devices=[floating["id"]]):
        if port["device_owner"] == FLOATING:
            work.docs.delete("port", port["id"])
    work.docs.delete("floatingip", floating["id"])


def _dress(work: Work, floatings: list[Document]) -> None:
    wanted = {f["port_id"] for f in floatings if f["port_id"]}
    found = {p["id"]: p for p in work.docs.select("port", ids=wanted)} if wanted else {}
    for floating in floatings:
        port = found.get(floating["port_id"])
        floating["port_details"] = (
            None
            if port is None
            else {
                key: port[key]
                for key in (
                    "name",
                    "network_id",
                    "mac_address",
                    "admin_state_up",
                    "status",
                    "device_id",
                    "device_owner",
                )
            }
        )


RESOURCE = Resource(
    kind="floatingip",
    plural="floatingips",
    attributes=ATTRIBUTES,
    make=_make,
    change=_change,
    remove=_remove,
    dress=_dress,
)
