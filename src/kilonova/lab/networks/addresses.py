"""Arithmetic of IPv4 subnets: gateways, pools, the next free address. No I/O."""

from collections.abc import Collection, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from kilonova.lab.networks import errors

Pool = dict[str, str]
_LONGEST, _SHORTEST = 30, 8


def parse_address(field: str, value: Any) -> IPv4Address:
    """Raises InvalidInput naming the field."""
    try:
        return IPv4Address(value)
    except ValueError:
        raise errors.InvalidInput(field=field, reason=f"'{value}' is not a valid IPv4 address") from None


def parse_cidr(field: str, value: Any) -> IPv4Network:
    """A network of any length; host bits are cut off as Neutron does. Raises InvalidInput naming the field."""
    try:
        return IPv4Network(value, strict=False)
    except ValueError:
        raise errors.InvalidInput(field=field, reason=f"'{value}' is not a valid IPv4 cidr") from None


def parse_subnet(value: Any) -> IPv4Network:
    """A cidr that can be a subnet of the lab. Raises InvalidInput."""
    network = parse_cidr("cidr", value)
    if not _SHORTEST <= network.prefixlen <= _LONGEST:
        reason = f"'{value}' must have a prefix length from {_SHORTEST} to {_LONGEST}"
        raise errors.InvalidInput(field="cidr", reason=reason)
    if network.is_multicast or network.is_loopback or network.is_link_local:
        raise errors.InvalidInput(field="cidr", reason=f"'{value}' is not for subnets")
    return network


def first_host(network: IPv4Network) -> str:
    """The gateway of a subnet that names none."""
    return str(network.network_address + 1)


def default_pools(network: IPv4Network, gateway: str | None) -> list[Pool]:
    """All host addresses around the gateway."""
    low, high = int(network.network_address) + 1, int(network.broadcast_address) - 1
    spans = [(low, high)]
    if gateway is not None and low <= int(IPv4Address(gateway)) <= high:
        at = int(IPv4Address(gateway))
        spans = [(low, at - 1), (at + 1, high)]
    return [{"start": str(IPv4Address(a)), "end": str(IPv4Address(b))} for a, b in spans if a <= b]


def check_gateway(network: IPv4Network, gateway: str) -> None:
    """Raises InvalidInput unless the gateway is a host address of the subnet."""
    if not is_host(network, gateway):
        raise errors.InvalidInput(field="gateway_ip", reason="Gateway is not valid on subnet")


def is_host(network: IPv4Network, address: str) -> bool:
    """Can a port have the address?"""
    found = IPv4Address(address)
    return found in network and found not in (network.network_address, network.broadcast_address)


def check_pools(network: IPv4Network, pools: Sequence[Pool], gateway: str | None) -> list[Pool]:
    """The pools in order. Raises InvalidInput, OutOfBounds…, Overlapping…, GatewayConflict…."""
    spans = sorted(_span(network, pool) for pool in pools)
    shown = [f"{IPv4Address(a)}-{IPv4Address(b)}" for a, b in spans]
    for index in range(1, len(spans)):
        if spans[index][0] <= spans[index - 1][1]:
            raise errors.OverlappingAllocationPools(first=shown[index - 1], second=shown[index], cidr=network)
    for (low, high), text in zip(spans, shown, strict=True):
        if gateway is not None and low <= int(IPv4Address(gateway)) <= high:
            raise errors.GatewayConflictWithAllocationPools(ip_address=gateway, pool=text)
    return [{"start": str(IPv4Address(a)), "end": str(IPv4Address(b))} for a, b in spans]


def _span(network: IPv4Network, pool: Pool) -> tuple[int, int]:
    start = parse_address("allocation_pools", pool["start"])
    end = parse_address("allocation_pools", pool["end"])
    text = f"{start}-{end}"
    if start > end:
        raise errors.InvalidInput(field="allocation_pools", reason=f"{text} ends before it starts")
    if not is_host(network, str(start)) or not is_host(network, str(end)):
        raise errors.OutOfBoundsAllocationPool(pool=text, cidr=network)
    return int(start), int(end)


def pick(pools: Sequence[Pool], taken: Collection[str], after: str | None) -> str | None:
    """The first free address after ``after``, going round: one just given back rests before it is handed out again."""
    turn = 0 if after is None else int(IPv4Address(after))
    for late in (True, False):
        for number in _numbers(pools):
            if (number > turn) is late and str(IPv4Address(number)) not in taken:
                return str(IPv4Address(number))
    return None


def _numbers(pools: Sequence[Pool]) -> Iterator[int]:
    for pool in pools:
        yield from range(int(IPv4Address(pool["start"])), int(IPv4Address(pool["end"])) + 1)
