"""What dnsmasq reads: configuration, known guests, and which leases went stale. No I/O."""

from collections.abc import Iterable
from ipaddress import IPv4Network
from pathlib import Path

from kilonova.lab.networks.plan import Dhcp, Lease

_METADATA = "169.254.169.254/32"
_DOMAIN = "kilonova.internal"


def configuration(dhcp: Dhcp, directory: Path, *, user: str, lease_seconds: int) -> str:
    """A whole dnsmasq.conf. Only guests in the hosts file get an answer."""
    lines = [
        "# Written by Kilonova's lab networks; changes are lost.",
        "conf-file=",
        f"user={user}",
        f"pid-file={directory / 'pid'}",
        f"interface={dhcp.bridge}",
        "except-interface=lo",
        "bind-interfaces",
        "no-hosts",
        "dhcp-authoritative",
        f"dhcp-hostsfile={directory / 'hosts'}",
        f"dhcp-leasefile={directory / 'leases'}",
        f"addn-hosts={directory / 'names'}",
        f"domain={_DOMAIN}",
        f"local=/{_DOMAIN}/",
        "expand-hosts",
        f"dhcp-option=option:mtu,{dhcp.mtu}",
    ]
    for served in dhcp.ranges:
        network = IPv4Network(served.cidr)
        tag = f"s{served.subnet_id[:8]}"
        lines.append(f"dhcp-range=set:{tag},{network.network_address},static,{network.netmask},{lease_seconds}s")
        lines.append(f"dhcp-option=tag:{tag},option:dns-server,{','.join(served.dns) or served.server}")
        routes = [(_METADATA, served.server), *served.routes]
        if served.gateway is None:
            lines.append(f"dhcp-option=tag:{tag},option:router")
        else:
            lines.append(f"dhcp-option=tag:{tag},option:router,{served.gateway}")
            # A client that takes classless routes ignores the router option, so the default goes in as well.
            routes.append(("0.0.0.0/0", served.gateway))
        listed = ",".join(f"{destination},{hop}" for destination, hop in routes)
        lines.append(f"dhcp-option=tag:{tag},option:classless-static-route,{listed}")
    return "\n".join(lines) + "\n"


def hosts(dhcp: Dhcp) -> str:
    """The ``dhcp-hostsfile``: MAC, address, name."""
    return "".join(f"{lease.mac},{lease.address},{lease.name}\n" for lease in dhcp.leases)


def names(dhcp: Dhcp) -> str:
    """The ``addn-hosts`` file, so that guests find each other by name before anyone took a lease."""
    return "".join(f"{lease.address} {lease.name}\n" for lease in dhcp.leases)


def live_leases(text: str, known: Iterable[Lease]) -> str:
    """The lease file without addresses that now belong to another MAC: dnsmasq would not hand those out."""
    owners = {lease.address: lease.mac for lease in known}
    kept = []
    for line in text.splitlines():
        parts = line.split()
        mac, address = (parts[1], parts[2]) if len(parts) > 2 else ("", "")  # noqa: PLR2004  # expiry, MAC, address …
        if owners.get(address, mac) == mac:
            kept.append(line)
    return "".join(f"{line}\n" for line in kept)
