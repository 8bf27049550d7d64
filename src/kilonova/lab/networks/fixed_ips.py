"""Which addresses a port gets."""

from collections.abc import Sequence

from kilonova.lab.networks import addresses, errors
from kilonova.lab.networks.store.documents import Document
from kilonova.lab.networks.work import Work

FixedIp = dict[str, str]


def allocate(work: Work, port: Document, wanted: Sequence[FixedIp] | None) -> list[FixedIp]:
    """Addresses for a port that has none now. ``wanted`` None: one from the network's first subnet with room.

    Raises InvalidInput, InvalidIpFor…, IpAddressInUse, IpAddressGenerationFailure, SubnetNotFound.
    """
    subnets = work.docs.select("subnet", parents=[port["network_id"]])
    if wanted is None:
        return _anywhere(work, port, subnets) if subnets else []
    return [_one(work, port, subnets, entry) for entry in wanted]


def _anywhere(work: Work, port: Document, subnets: Sequence[Document]) -> list[FixedIp]:
    for subnet in subnets:
        address = _next(work, subnet)
        if address is not None:
            return [_claim(work, port, subnet, address)]
    raise errors.IpAddressGenerationFailure(network_id=port["network_id"])


def _one(work: Work, port: Document, subnets: Sequence[Document], entry: FixedIp) -> FixedIp:
    address = entry.get("ip_address")
    if address is not None:
        address = str(addresses.parse_address("fixed_ips", address))
    if not subnets:
        reason = f"network {port['network_id']} has no subnets"
        raise errors.InvalidInput(field="fixed_ips", reason=reason)
    subnet = _subnet_of(port, subnets, entry.get("subnet_id"), address)
    if address is None:
        address = _next(work, subnet)
        if address is None:
            raise errors.IpAddressGenerationFailure(network_id=port["network_id"])
    if work.docs.holder(subnet["id"], address) is not None:
        raise errors.IpAddressAlreadyAllocated(ip_address=address, subnet_id=subnet["id"])
    return _claim(work, port, subnet, address)


def _subnet_of(port: Document, subnets: Sequence[Document], subnet_id: str | None, address: str | None) -> Document:
    if subnet_id is not None:
        for subnet in subnets:
            if subnet["id"] == subnet_id:
                if address is not None and not _fits(subnet, address):
                    raise errors.InvalidIpForSubnet(ip_address=address)
                return subnet
        reason = f"subnet {subnet_id} is not on network {port['network_id']}"
        raise errors.InvalidInput(field="fixed_ips", reason=reason)
    if address is None:
        raise errors.InvalidInput(field="fixed_ips", reason="an entry needs subnet_id or ip_address")
    for subnet in subnets:
        if _fits(subnet, address):
            return subnet
    raise errors.InvalidIpForNetwork(ip_address=address)


def _fits(subnet: Document, address: str) -> bool:
    return addresses.is_host(addresses.parse_cidr("cidr", subnet["cidr"]), address)


def _next(work: Work, subnet: Document) -> str | None:
    taken = work.docs.taken(subnet["id"])
    address = addresses.pick(subnet["allocation_pools"], taken, subnet.get("_last"))
    if address is not None:
        subnet["_last"] = address
        # Not a change that anybody made: the revision stays.
        subnet["revision_number"] -= 1
        work.docs.save("subnet", subnet)
    return address


def _claim(work: Work, port: Document, subnet: Document, address: str) -> FixedIp:
    work.docs.claim_address(subnet["id"], address, port["id"])
    return {"subnet_id": subnet["id"], "ip_address": address}
