"""The first tour's networks: ``public``, ``private`` and a router between them."""

from typing import Any

from kilonova.lab.networks import networks, routers, security_groups, subnets
from kilonova.lab.networks.resources import create
from kilonova.lab.networks.service import LAB, LabNetworks
from kilonova.lab.networks.work import Work

PUBLIC, PUBLIC_CIDR = "public", "172.24.4.0/24"
PRIVATE, PRIVATE_CIDR = "private", "10.10.0.0/24"
ROUTER = "router1"


def seed(lab: LabNetworks, project_id: str) -> dict[str, str]:
    """Make what is missing; ids by name. ``project_id`` owns ``private`` and the router.

    ``private`` is shared, so that every project can say ``--network private``. The default security group keeps
    Neutron's rules: nothing comes in until the user adds a rule.
    """
    return lab.change(LAB, lambda work: _seed(work, project_id))


def _seed(work: Work, project_id: str) -> dict[str, str]:
    known = {n["name"]: n["id"] for n in work.docs.select("network")}
    found = {name: known[name] for name in (PUBLIC, PRIVATE) if name in known}
    if PUBLIC not in found:
        public = {"name": PUBLIC, "router:external": True, "is_default": True, "project_id": project_id}
        found[PUBLIC] = _network(work, public, {"cidr": PUBLIC_CIDR, "enable_dhcp": False})["network_id"]
    if PRIVATE not in found:
        private = {"name": PRIVATE, "shared": True, "project_id": project_id}
        subnet = _network(work, private, {"cidr": PRIVATE_CIDR})
        found[PRIVATE] = subnet["network_id"]
        gateway = {"network_id": found[PUBLIC]}
        given = {"name": ROUTER, "project_id": project_id, "external_gateway_info": gateway}
        router = create(routers.RESOURCE, work, given)
        routers.add_interface(work, router, {"subnet_id": subnet["id"]})
        found[ROUTER] = router["id"]
    security_groups.default_of(work, project_id)
    return found


def _network(work: Work, network: dict[str, Any], subnet: dict[str, Any]) -> dict[str, Any]:
    made = create(networks.RESOURCE, work, network)
    given = {
        "name": f"{network['name']}-subnet",
        "network_id": made["id"],
        "project_id": network["project_id"],
        **subnet,
    }
    return create(subnets.RESOURCE, work, given)
