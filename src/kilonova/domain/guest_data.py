"""What a guest may read about itself: the documents of the config drive and of the metadata service.

Source: OpenStack metadata (``openstack/latest``) and EC2 metadata formats, the version in which each key came.
"""

import base64
import hashlib
import ipaddress
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kilonova.kit import codec

Row = Mapping[str, Any]
Nics = Sequence[Mapping[str, Any]]
"""Ports in the shape of ``hypervisor.contracts.Nic``, with the network service's facts about subnets."""
LATEST = "latest"
VERSIONS = (
    "2012-08-10",
    "2013-04-04",
    "2013-10-17",
    "2015-10-15",
    "2016-06-30",
    "2016-10-06",
    "2017-02-22",
    "2018-08-27",
    "2020-10-14",
    "2025-04-04",
    LATEST,
)
EC2_VERSIONS = (
    "1.0",
    "2007-01-19",
    "2007-03-01",
    "2007-08-29",
    "2007-10-10",
    "2007-12-15",
    "2008-02-01",
    "2008-09-01",
    "2009-04-04",
    LATEST,
)
_FILES = {
    # file: the version it came with
    "meta_data.json": "2012-08-10",
    "user_data": "2012-08-10",
    "password": "2013-04-04",
    "vendor_data.json": "2013-10-17",
    "network_data.json": "2015-10-15",
    "vendor_data2.json": "2016-10-06",
}
_META_SINCE = {
    "random_seed": "2013-04-04",
    "project_id": "2015-10-15",
    "devices": "2016-06-30",
    "dedicated_cpus": "2020-10-14",
}
_EC2_SINCE = {
    "local-hostname": "2007-01-19",
    "public-hostname": "2007-01-19",
    "public-ipv4": "2007-01-19",
    "product-codes": "2007-03-01",
    "instance-type": "2007-08-29",
    "block-device-mapping": "2007-12-15",
    "kernel-id": "2007-12-15",
    "ramdisk-id": "2007-12-15",
    "placement": "2008-02-01",
    "instance-action": "2008-09-01",
}
_IPV4 = 4


@dataclass(frozen=True)
class GuestDataOptions:
    """How guests are named, and what the vendor tells all of them."""

    dhcp_domain: str = "novalocal"
    vendor_data: Mapping[str, Any] = field(default_factory=dict)
    """``vendor_data.json``; under ``static`` in ``vendor_data2.json``."""
    ask_vendor: Callable[[Row], Mapping[str, Any]] = lambda _row: {}
    """The other keys of ``vendor_data2.json``: what services say about a server."""


def full_hostname(row: Row, domain: str) -> str:
    """The host name with the configured domain."""
    name: str = row["hostname"] or row["name"]
    return f"{name}.{domain}" if domain and "." not in name else name


def listing(row: Row, version: str) -> list[str]:
    """Names of the files that ``openstack/{version}`` has for this server."""
    return [name for name, since in _FILES.items() if since <= version and (name != "user_data" or row["user_data"])]


def file(name: str, version: str, row: Row, options: GuestDataOptions, *, admin_pass: str | None = None) -> bytes:
    """Content of one of the files of ``listing`` (``password`` is kept elsewhere). Raises KeyError for others."""
    if name not in listing(row, version):
        raise KeyError(name)
    if name == "user_data":
        return user_data(row) or b""
    if name == "meta_data.json":
        return codec.dumps(meta_data(row, options, version=version, admin_pass=admin_pass))
    if name == "network_data.json":
        return codec.dumps(network_data(codec.loads(row["network_info"])))
    if name == "vendor_data.json":
        return codec.dumps(options.vendor_data)
    if name == "vendor_data2.json":
        return codec.dumps({"static": options.vendor_data, **options.ask_vendor(row)})
    raise KeyError(name)


def user_data(row: Row) -> bytes | None:
    """What the user gave, decoded; None without."""
    return base64.b64decode(row["user_data"]) if row["user_data"] else None


def injected_files(row: Row) -> list[tuple[str, bytes]]:
    """Path and content of the files given at creation; ``openstack/content/{number}`` has them in this order."""
    return [(entry["path"], base64.b64decode(entry["contents"])) for entry in codec.loads(row["personality"]) or ()]


def meta_data(
    row: Row, options: GuestDataOptions, *, version: str = LATEST, admin_pass: str | None = None
) -> dict[str, Any]:
    """``meta_data.json`` of a version."""
    document: dict[str, Any] = {
        "uuid": row["uuid"],
        "name": row["name"],
        "hostname": full_hostname(row, options.dhcp_domain),
        "launch_index": row["launch_index"],
        "availability_zone": row["availability_zone"],
        "project_id": row["project_id"],
        "meta": codec.loads(row["metadata"]),
        # Seeded by the server: the same at each boot of one server, different between servers.
        "random_seed": base64.b64encode(_seed(row["uuid"])).decode(),
        "devices": _devices(codec.loads(row["network_info"])),
        "dedicated_cpus": [],
    }
    if row["key_name"] and row["key_data"]:
        document["public_keys"] = {row["key_name"]: row["key_data"]}
        document["keys"] = [{"name": row["key_name"], "type": row["key_type"] or "ssh", "data": row["key_data"]}]
    files = injected_files(row)
    if files:
        document["files"] = [{"path": path, "content_path": f"/content/{n:04d}"} for n, (path, _) in enumerate(files)]
    if admin_pass:
        document["admin_pass"] = admin_pass
    return {name: value for name, value in document.items() if _META_SINCE.get(name, "") <= version}


def _devices(nics: Nics) -> list[dict[str, Any]]:
    """NICs that the user tagged."""
    return [
        {"type": "nic", "bus": "none", "address": "none", "mac": nic["mac"], "tags": [nic["tag"]]}
        for nic in nics
        if nic.get("tag")
    ]


def _seed(uuid: str) -> bytes:
    return random.Random(hashlib.sha512(uuid.encode()).digest()).randbytes(512)  # noqa: S311  # mixed in by guests, not trusted


def network_data(nics: Nics) -> dict[str, Any]:
    """``network_data.json``."""
    links: list[dict[str, Any]] = []
    networks: list[dict[str, Any]] = []
    services: list[dict[str, Any]] = []
    for nic in nics:
        link = f"tap{nic['port_id'][:11]}"
        links.append(
            {
                "id": link,
                "vif_id": nic["port_id"],
                "type": _link_type(nic["vif_type"]),
                "mtu": nic["mtu"],
                "ethernet_mac_address": nic["mac"],
            }
        )
        for fixed in nic["fixed_ips"]:
            networks.append(_network(nic, fixed, f"network{len(networks)}", link))
            services += [s for s in _dns(fixed["subnet"]) if s not in services]
    return {"links": links, "networks": networks, "services": services}


def _link_type(vif_type: str) -> str:
    return {"bridge": "bridge", "ovs": "ovs", "tap": "tap"}.get(vif_type, "phy")


def _dns(subnet: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"type": "dns", "address": address} for address in subnet["dns"]]


def _network(nic: Mapping[str, Any], fixed: Mapping[str, Any], name: str, link: str) -> dict[str, Any]:
    subnet = fixed["subnet"]
    kind = _network_type(subnet)
    document: dict[str, Any] = {"id": name, "type": kind, "link": link, "network_id": nic["network_id"]}
    if kind == "ipv4_dhcp":
        return document
    version = subnet["version"]
    prefix = int(subnet["cidr"].split("/")[1])
    routes = [_route(route["destination"], route["nexthop"], version) for route in subnet.get("routes", ())]
    if subnet["gateway"]:
        routes.insert(0, _route("0.0.0.0/0" if version == _IPV4 else "::/0", subnet["gateway"], version))
    return document | {
        "ip_address": fixed["address"],
        "netmask": _netmask(prefix, version),
        "routes": routes,
        "services": _dns(subnet),
    }


def _network_type(subnet: Mapping[str, Any]) -> str:
    """``ipv4``, ``ipv4_dhcp``, ``ipv6``, or what router advertisements say (``ipv6_slaac``, ``ipv6_dhcpv6-…``)."""
    if subnet["version"] == _IPV4:
        return "ipv4_dhcp" if subnet["dhcp"] else "ipv4"
    mode = subnet.get("ipv6_address_mode")
    return f"ipv6_{mode}" if mode and subnet["dhcp"] else "ipv6"


def _route(destination: str, gateway: str, version: int) -> dict[str, str]:
    network, _, prefix = destination.partition("/")
    return {"network": network, "netmask": _netmask(int(prefix), version), "gateway": gateway}


def _netmask(prefix: int, version: int) -> str:
    anywhere = "0.0.0.0" if version == _IPV4 else "::"
    return str(ipaddress.ip_network(f"{anywhere}/{prefix}").netmask)


def config_drive(row: Row, nics: Nics, options: GuestDataOptions, admin_pass: str | None) -> dict[str, str]:
    """Files of the config drive: path → base64 content. ``nics``: the ports as they are, not yet in the row."""
    current = {**row, "network_info": codec.text(list(nics))}
    told = options.ask_vendor(current)
    options = replace(options, ask_vendor=lambda _row: told)
    files: dict[str, bytes] = {}
    for version in VERSIONS:
        for name in listing(row, version):
            if name != "password":
                files[f"openstack/{version}/{name}"] = file(name, version, current, options, admin_pass=admin_pass)
    data = user_data(row)
    for version in ("2009-04-04", LATEST):
        files[f"ec2/{version}/meta-data.json"] = codec.dumps(ec2_meta_data(current, options, version=version))
        if data:
            files[f"ec2/{version}/user-data"] = data
    for number, (_path, content) in enumerate(injected_files(row)):
        files[f"openstack/content/{number:04d}"] = content
    return {path: base64.b64encode(content).decode() for path, content in files.items()}


def ec2_meta_data(row: Row, options: GuestDataOptions, *, version: str = LATEST) -> dict[str, Any]:
    """The EC2 ``meta-data`` tree of a version: text, lists and further trees."""
    host = full_hostname(row, options.dhcp_domain)
    nics = codec.loads(row["network_info"])
    fixed = [ip for nic in nics for ip in nic["fixed_ips"]]
    floating = [address for ip in fixed for address in ip.get("floating", ())]
    properties = codec.loads(row["image"]).get("properties", {}) if row["image"] else {}
    root = row["root_device_name"] or "/dev/vda"
    tree: dict[str, Any] = {
        "ami-id": f"ami-{row['id']:08x}",
        "ami-launch-index": str(row["launch_index"]),
        "ami-manifest-path": "",
        "block-device-mapping": {"ami": root.removeprefix("/dev/"), "root": root},
        "hostname": host,
        "instance-action": "none",
        "instance-id": f"i-{row['id']:08x}",
        "instance-type": codec.loads(row["flavor"]).get("original_name", ""),
        "local-hostname": host,
        "local-ipv4": next((ip["address"] for ip in fixed if ":" not in ip["address"]), ""),
        "placement": {"availability-zone": row["availability_zone"] or ""},
        "product-codes": [],
        "public-hostname": host,
        "public-ipv4": next((address for address in floating if ":" not in address), ""),
        "reservation-id": row["reservation_id"] or "",
        "security-groups": [group["name"] for group in codec.loads(row["security_groups"])],
    }
    for kind, short in (("kernel", "aki"), ("ramdisk", "ari")):
        if properties.get(f"{kind}_id"):
            tree[f"{kind}-id"] = f"{short}-{row['id']:08x}"
    if row["key_name"]:
        tree["public-keys"] = {"0": {"_name": f"0={row['key_name']}", "openssh-key": row["key_data"]}}
    return {name: value for name, value in tree.items() if _EC2_SINCE.get(name, "") <= version}
