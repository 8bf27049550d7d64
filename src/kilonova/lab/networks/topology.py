"""The auto-allocated topology: a network, subnet and router of the project's own for ``networks: auto``."""

from ipaddress import IPv4Network

from kilonova.lab.networks import errors, networks, routers, subnets
from kilonova.lab.networks.resources import create, delete
from kilonova.lab.networks.store.documents import Document
from kilonova.lab.networks.work import Caller, Work

_NAME = "auto_allocated"
_PREFIX = 24


def check(work: Work) -> None:
    """Raises AutoAllocationFailure when ``get_or_make`` could not work."""
    _external(work)
    _free_cidr(work)


def get_or_make(work: Work, project_id: str) -> str:
    """Id of the project's network; made at first. Raises AutoAllocationFailure, OverQuota."""
    stored = work.docs.get("topology", project_id)
    if stored is not None and work.docs.get("network", stored["network_id"]) is not None:
        return str(stored["network_id"])
    external, cidr = _external(work), _free_cidr(work)
    inner = Work(work.docs, Caller(project_id, privileged=False, writer=True), work.options, work.host_networks)
    network = create(networks.RESOURCE, inner, {"name": f"{_NAME}_network"})
    subnet = create(
        subnets.RESOURCE,
        inner,
        {"name": f"{_NAME}_subnet_v4", "network_id": network["id"], "cidr": str(cidr)},
    )
    gateway = {"network_id": external["id"]}
    router = create(routers.RESOURCE, inner, {"name": f"{_NAME}_router", "external_gateway_info": gateway})
    routers.add_interface(inner, router, {"subnet_id": subnet["id"]})
    work.docs.delete("topology", project_id)
    work.docs.insert("topology", {"id": project_id, "network_id": network["id"], "router_id": router["id"]})
    return str(network["id"])


def remove(work: Work, project_id: str) -> None:
    """Take it away again. Raises NetworkInUse."""
    stored = work.docs.get("topology", project_id)
    if stored is None:
        return
    network, router = work.docs.get("network", stored["network_id"]), work.docs.get("router", stored["router_id"])
    if router is not None and network is not None:
        for subnet in work.docs.select("subnet", parents=[network["id"]]):
            routers.remove_interface(work, router, {"subnet_id": subnet["id"]})
        delete(routers.RESOURCE, work, router)
    if network is not None:
        delete(networks.RESOURCE, work, network)
    work.docs.delete("topology", project_id)


def _external(work: Work) -> Document:
    for network in work.docs.select("network"):
        if network["router:external"] and network["is_default"]:
            return network
    raise errors.AutoAllocationFailure(reason="No default router:external network")


def _free_cidr(work: Work) -> IPv4Network:
    used = [IPv4Network(subnet["cidr"]) for subnet in work.docs.select("subnet")] + list(work.host_networks())
    for candidate in IPv4Network(work.options.auto_allocated_range).subnets(new_prefix=_PREFIX):
        if not any(candidate.overlaps(other) for other in used):
            return candidate
    raise errors.AutoAllocationFailure(reason=f"{work.options.auto_allocated_range} has no free /{_PREFIX}")
