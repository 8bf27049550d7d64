"""The plan's nftables text: NAT and security groups in ``inet kilonova``, anti-spoofing in ``bridge kilonova``.

Where security groups hold: everything the host routes, sends or receives passes the ``inet`` hooks, and so does what
two guests on one bridge say to each other once br_netfilter calls these hooks for the bridge (``nf_call_iptables``).
The connection tracking of the host is the only one, so replies pass everywhere.
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, collapse_addresses

from kilonova.lab.networks.plan import Group, GuestPort, HostPlan, Rule

TABLE = "kilonova"
BRIDGES = "kn-*"
METADATA = "169.254.169.254"
_ICMP = ("icmp",)
_SKIPPED = ("ipv6-icmp", "icmpv6")
_PORTED = ("tcp", "udp", "sctp", "dccp", "udplite")
_NUMBERS = {"egp": "8", "igmp": "2", "ipip": "4", "ospf": "89", "pgm": "113", "rsvp": "46", "vrrp": "112"}


def script(plan: HostPlan, *, anti_spoofing: bool) -> str:
    """Input of ``nft -f``: replaces our tables in one step, so that there is no moment without rules."""
    lines = [*_replaced("inet"), *_inet(plan), "}"]
    if anti_spoofing:
        lines += [*_replaced("bridge"), *_bridge(plan), "}"]
    return "\n".join(lines) + "\n"


def removal(*, anti_spoofing: bool) -> str:
    """Input of ``nft -f`` that leaves nothing of ours."""
    families = ("inet", "bridge") if anti_spoofing else ("inet",)
    return "".join(f"add table {family} {TABLE}\ndelete table {family} {TABLE}\n" for family in families)


def _replaced(family: str) -> list[str]:
    # "add" first, so that "delete" finds it whether it was there or not.
    return [f"add table {family} {TABLE}", f"delete table {family} {TABLE}", f"table {family} {TABLE} {{"]


def _inet(plan: HostPlan) -> Iterator[str]:
    for group in plan.groups:
        yield _set(f"g_{_hex(group.id)}", "ipv4_addr", group.members)
    yield _set("joined", "ifname . ifname", _joined(plan))
    yield _set("uplinked", "ifname", sorted({f'"{bridge}"' for bridge, _ in _uplinked(plan)}))
    yield _set("external", "ifname", sorted({f'"{bridge}"' for bridge in plan.external}))
    groups = {group.id: group for group in plan.groups}
    for port in plan.ports:
        yield from _port_chain(port, groups, incoming=True)
        yield from _port_chain(port, groups, incoming=False)
    yield _map("entering", "ipv4_addr : verdict", _owners(plan, "in"))
    yield _map("leaving", "ipv4_addr : verdict", _owners(plan, "out"))
    yield from _nat(plan)
    yield from _filter(plan)


def _filter(plan: HostPlan) -> Iterator[str]:
    """Between bridges only where a router joins them; then the rules of the sending and of the receiving port."""
    yield f"""
chain forwarded {{
    type filter hook forward priority filter; policy accept;
    iifname != "{BRIDGES}" oifname != "{BRIDGES}" accept
    ct state established,related accept
    ct state invalid drop
    meta pkttype {{ broadcast, multicast }} drop
    iifname "{BRIDGES}" oifname "{BRIDGES}" iifname . oifname != @joined drop
    iifname "{BRIDGES}" oifname != "{BRIDGES}" iifname != @uplinked drop
    iifname != "{BRIDGES}" oifname != @external ct status != dnat drop
    iifname "{BRIDGES}" ip saddr vmap @leaving
    oifname "{BRIDGES}" ip daddr vmap @entering
}}
chain received {{
    type filter hook input priority filter; policy accept;
    iifname "{BRIDGES}" jump from_guest
    iifname != "lo" tcp dport {plan.metadata_port} drop
}}
chain from_guest {{
    ct state established,related accept
    udp dport 67 accept
    tcp dport {plan.metadata_port} ct status dnat accept
    ip saddr vmap @leaving
    meta l4proto icmp accept
    udp dport 53 accept
    tcp dport 53 accept
    drop
}}
chain sent {{
    type filter hook output priority filter; policy accept;
    ct state established,related accept
    udp sport 67 udp dport 68 accept
    ip daddr vmap @entering
}}"""


def _nat(plan: HostPlan) -> Iterator[str]:
    led = [f"{f.address} : {f.fixed}" for f in plan.floatings]
    yield _map("floating", "ipv4_addr : ipv4_addr", led)
    yield f"""
chain arriving {{
    type nat hook prerouting priority dstnat;
    iifname "{BRIDGES}" ip daddr {METADATA} tcp dport 80 redirect to :{plan.metadata_port}
    dnat ip to ip daddr map @floating
}}
chain own {{
    type nat hook output priority -100;
    dnat ip to ip daddr map @floating
}}
chain departing {{
    type nat hook postrouting priority srcnat;"""
    # A guest that calls its neighbour by floating IP: the answer must come back through the host, which without
    # br_netfilter would not see it otherwise.
    for bridge in plan.bridges:
        yield f'    iifname "{bridge.name}" oifname "{bridge.name}" ct status dnat masquerade'
    for floating in plan.floatings:
        yield f'    oifname "{floating.bridge}" ip saddr {floating.fixed} snat ip to {floating.address}'
    for router in plan.routers:
        if router.outside is None or not router.snat:
            continue
        outside, address = router.outside
        for _, cidr in router.inside:
            yield f'    oifname "{outside}" ip saddr {cidr} snat ip to {address}'
    for name, cidr in _uplinked(plan):
        yield f'    iifname "{name}" oifname != "{BRIDGES}" ip saddr {cidr} masquerade'
    yield "}"


def _uplinked(plan: HostPlan) -> list[tuple[str, str]]:
    """Bridges and cidrs that may leave the host: behind a router with a gateway that translates, or external."""
    found = [inside for router in plan.routers if router.outside and router.snat for inside in router.inside]
    external = [
        (bridge.name, address)
        for bridge in plan.bridges
        if bridge.name in plan.external
        for address in bridge.addresses
        if not address.endswith("/32")
    ]
    return found + external


def _joined(plan: HostPlan) -> list[str]:
    """Pairs of bridges between which packets may pass; a bridge and itself always."""
    pairs = {(bridge.name, bridge.name) for bridge in plan.bridges}
    for router in plan.routers:
        inside = [bridge for bridge, _ in router.inside]
        pairs |= {(a, b) for a in inside for b in inside}
        if router.outside is not None:
            outside = router.outside[0]
            # Inwards only replies and floating IPs come through, which other rules let pass.
            pairs |= {(a, outside) for a in inside}
            pairs |= {(outside, a) for a in inside if any(f.bridge == outside for f in plan.floatings)}
    return sorted(f'"{a}" . "{b}"' for a, b in pairs)


def _owners(plan: HostPlan, direction: str) -> list[str]:
    """Address → the port's chain. An address that two ports may use (VRRP) follows the first one's rules."""
    found: dict[str, str] = {}
    for port in plan.ports:
        for address in port.addresses:
            found.setdefault(address, f"{direction}_{_hex(port.port_id)}")
    for port in plan.ports:
        for _, address in port.pairs:
            if "/" not in address and address not in plan.open_ports:
                found.setdefault(address, f"{direction}_{_hex(port.port_id)}")
    return [f"{address} : jump {chain}" for address, chain in found.items()]


def _port_chain(port: GuestPort, groups: dict[str, Group], *, incoming: bool) -> Iterator[str]:
    """Rules return to go on, what is left is dropped."""
    yield f"chain {'in' if incoming else 'out'}_{_hex(port.port_id)} {{"
    for group_id in port.groups if port.up else ():
        for rule in groups[group_id].rules if group_id in groups else ():
            if rule.incoming == incoming:
                yield from (f"    {match}return" for match in _matches(rule))
    yield "    drop"
    yield "}"


def _matches(rule: Rule) -> Iterator[str]:
    """The rule as nftables conditions; none for what only IPv6 has."""
    if rule.protocol in _SKIPPED:
        return
    side = "saddr" if rule.incoming else "daddr"
    remote = ""
    if rule.remote_group is not None:
        remote = f"ip {side} @g_{_hex(rule.remote_group)} "
    elif rule.remote not in (None, "0.0.0.0/0"):
        remote = f"ip {side} {rule.remote} "
    yield remote + _protocol(rule)


def _protocol(rule: Rule) -> str:
    name = rule.protocol
    if name is None:
        return ""
    if name in _ICMP and rule.low is not None:
        return f"icmp type {rule.low} " + ("" if rule.high is None else f"icmp code {rule.high} ")
    if name in _PORTED and rule.low is not None:
        span = str(rule.low) if rule.low == rule.high else f"{rule.low}-{rule.high}"
        return f"{name} dport {span} "
    return f"meta l4proto {_NUMBERS.get(name, name)} "


def _bridge(plan: HostPlan) -> Iterator[str]:
    """What a tap may send: its own MAC and addresses, ARP and IPv4 only, no DHCP answers."""
    for port in plan.ports:
        yield f"chain from_{_hex(port.port_id)} {{"
        macs = _braced({port.mac, *(mac for mac, _ in port.pairs)})
        sources = _sources(port)
        yield f"    ether saddr != {macs} drop"
        yield "    udp sport 68 udp dport 67 accept"
        yield "    udp sport 67 udp dport 68 drop"
        if sources:
            yield f"    ether type arp arp saddr ip {_braced(sources)} accept"
            yield f"    ether type ip ip saddr {_braced(sources)} accept"
        yield "    ether type arp arp saddr ip 0.0.0.0 accept"
        yield "    drop"
        yield "}"
    taps = [f'"{port.tap}" : jump from_{_hex(port.port_id)}' for port in plan.ports]
    yield _map("taps", "ifname : verdict", taps)
    yield "chain spoofed {\n    type filter hook prerouting priority -200; policy accept;\n    iifname vmap @taps\n}"


def _sources(port: GuestPort) -> list[str]:
    """Without addresses inside another cidr of the list: nftables refuses overlapping elements."""
    cidrs = [pair for _, pair in port.pairs if "/" in pair]
    if cidrs:
        every = [*cidrs, *port.addresses, *(pair for _, pair in port.pairs if "/" not in pair)]
        return [str(network) for network in collapse_addresses(IPv4Network(text) for text in every)]
    return sorted({*port.addresses, *(pair for _, pair in port.pairs)})


def _braced(values: Iterable[str]) -> str:
    return "{ " + ", ".join(sorted(values)) + " }"


def _set(name: str, kind: str, elements: Iterable[str]) -> str:
    return _declared("set", name, kind, elements)


def _map(name: str, kind: str, elements: Iterable[str]) -> str:
    return _declared("map", name, kind, elements)


def _declared(word: str, name: str, kind: str, elements: Iterable[str]) -> str:
    body = ",\n        ".join(dict.fromkeys(elements))
    held = f"\n    elements = {{ {body} }}" if body else ""
    return f"{word} {name} {{\n    type {kind}{held}\n}}"


def _hex(document_id: str) -> str:
    return document_id.replace("-", "")
