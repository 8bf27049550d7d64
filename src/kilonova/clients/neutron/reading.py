"""Rows to facts, with few calls: everything about many ports in one query per resource."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from kilonova.clients.neutron.api import NetworkApi, Row
from kilonova.clients.neutron.facts import (
    FixedIpFacts,
    GroupName,
    NetworkFacts,
    PortFacts,
    SecurityGroupFacts,
    SecurityRuleFacts,
    SubnetFacts,
)
from kilonova.kit.context import Context

MARK = "kilonova_created"
"""Key in ``binding:profile`` of ports that compute made. It is set in the very call that makes the port."""
_BATCH = 100
"""Ids in one query: 37 characters each, and a URL of 8 KiB is what servers take."""


def by(api: NetworkApi, resource: str, key: str, values: Collection[str], context: Context | None = None) -> list[Row]:
    """All rows whose ``key`` is one of ``values``."""
    wanted = sorted(set(values))
    found: list[Row] = []
    for start in range(0, len(wanted), _BATCH):
        found += api.rows(resource, [(key, value) for value in wanted[start : start + _BATCH]], context)
    return found


def network_of(row: Row) -> NetworkFacts:
    """A row of ``networks``."""
    return NetworkFacts(
        id=row["id"],
        name=row.get("name", ""),
        project_id=project_of(row),
        shared=bool(row.get("shared")),
        external=bool(row.get("router:external")),
        mtu=row.get("mtu"),
        subnet_ids=tuple(row.get("subnets") or ()),
        port_security=bool(row.get("port_security_enabled", True)),
    )


def project_of(row: Row) -> str | None:
    """Old Neutrons say tenant."""
    value = row.get("project_id") or row.get("tenant_id")
    return str(value) if value else None


def subnet_of(row: Row) -> SubnetFacts:
    """A row of ``subnets``."""
    return SubnetFacts(
        id=row["id"],
        cidr=row["cidr"],
        version=row["ip_version"],
        gateway=row.get("gateway_ip"),
        dns=tuple(row.get("dns_nameservers") or ()),
        dhcp=bool(row.get("enable_dhcp", True)),
        routes=tuple(row.get("host_routes") or ()),
        ipv6_address_mode=row.get("ipv6_address_mode"),
        ipv6_ra_mode=row.get("ipv6_ra_mode"),
    )


def port_facts(
    api: NetworkApi, rows: Sequence[Row], tags: Mapping[str, str | None], *, floating: bool = True
) -> tuple[PortFacts, ...]:
    """Facts of all ``rows``; ``floating`` False spares a call where there can be no floating address yet."""
    if not rows:
        return ()
    networks = {n["id"]: network_of(n) for n in by(api, "networks", "id", {r["network_id"] for r in rows})}
    fixed = [ip for row in rows for ip in row.get("fixed_ips", ())]
    subnets = {s["id"]: subnet_of(s) for s in by(api, "subnets", "id", {ip["subnet_id"] for ip in fixed})}
    addresses = _floating(by(api, "floatingips", "port_id", {r["id"] for r in rows})) if floating else {}
    return tuple(_port(row, networks.get(row["network_id"]), subnets, addresses, tags) for row in rows)


def _floating(rows: Iterable[Row]) -> dict[tuple[str, str], tuple[str, ...]]:
    """(port, fixed address) → floating addresses."""
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for row in rows:
        key = (row["port_id"], row["fixed_ip_address"])
        found[key] = (*found.get(key, ()), row["floating_ip_address"])
    return found


def _port(
    row: Row,
    network: NetworkFacts | None,
    subnets: Mapping[str, SubnetFacts],
    floating: Mapping[tuple[str, str], tuple[str, ...]],
    tags: Mapping[str, str | None],
) -> PortFacts:
    profile = dict(row.get("binding:profile") or {})
    return PortFacts(
        id=row["id"],
        mac=row["mac_address"],
        network_id=row["network_id"],
        network_name=network.name if network else "",
        project_id=project_of(row),
        name=row.get("name") or "",
        status=row.get("status") or "DOWN",
        admin_up=bool(row.get("admin_state_up", True)),
        device_id=row.get("device_id") or "",
        device_owner=row.get("device_owner") or "",
        fixed_ips=tuple(
            FixedIpFacts(
                address=ip["ip_address"],
                subnet=subnets[ip["subnet_id"]],
                floating=floating.get((row["id"], ip["ip_address"]), ()),
            )
            for ip in row.get("fixed_ips", ())
            if ip["subnet_id"] in subnets
        ),
        mtu=network.mtu if network else None,
        host=row.get("binding:host_id") or None,
        vif_type=row.get("binding:vif_type") or "unbound",
        vif_details=dict(row.get("binding:vif_details") or {}),
        vnic_type=row.get("binding:vnic_type") or "normal",
        profile=profile,
        security_group_ids=tuple(row.get("security_groups") or ()),
        tag=tags.get(row["id"]),
        created=bool(profile.get(MARK)),
    )


def group_facts(api: NetworkApi, rows: Sequence[Row]) -> tuple[SecurityGroupFacts, ...]:
    """Security groups with their rules, and the names of the groups that rules name."""
    rules = [rule for row in rows for rule in row.get("security_group_rules") or ()]
    remote = {rule["remote_group_id"] for rule in rules if rule.get("remote_group_id")}
    known = {row["id"]: row for row in rows}
    known |= {row["id"]: row for row in by(api, "security_groups", "id", remote - set(known))}
    return tuple(
        SecurityGroupFacts(
            id=row["id"],
            name=row["name"],
            description=row.get("description") or "",
            project_id=project_of(row),
            rules=tuple(_rule(rule, known) for rule in row.get("security_group_rules") or ()),
        )
        for row in rows
    )


def _rule(rule: Row, groups: Mapping[str, Row]) -> SecurityRuleFacts:
    remote = rule.get("remote_group_id")
    group = groups.get(remote) if remote else None
    return SecurityRuleFacts(
        id=rule["id"],
        ingress=rule.get("direction") == "ingress",
        ethertype=rule.get("ethertype") or "IPv4",
        protocol=rule.get("protocol"),
        port_min=rule.get("port_range_min"),
        port_max=rule.get("port_range_max"),
        remote_cidr=rule.get("remote_ip_prefix"),
        remote_group=GroupName(name=group["name"], project_id=project_of(group)) if group else None,
    )
