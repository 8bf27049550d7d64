"""What a guest may read about itself: the documents of the config drive and of the metadata service.

Source: OpenStack metadata (``openstack/latest``) and EC2 metadata formats; /conformance/metadata-routes.tsv.
"""

import base64
import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kilonova.kit import codec

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
    "latest",
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
    "latest",
)


@dataclass(frozen=True)
class GuestDataOptions:
    """How guests are named."""

    dhcp_domain: str = "novalocal"


def full_hostname(row: Mapping[str, Any], domain: str) -> str:
    """The host name with the configured domain."""
    name = row["hostname"] or row["name"]
    return f"{name}.{domain}" if domain and "." not in name else name


def meta_data(row: Mapping[str, Any], options: GuestDataOptions, *, admin_pass: str | None = None) -> dict[str, Any]:
    """``meta_data.json``."""
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
        "devices": [],
        "dedicated_cpus": [],
    }
    if row["key_name"] and row["key_data"]:
        document["public_keys"] = {row["key_name"]: row["key_data"]}
        document["keys"] = [{"name": row["key_name"], "type": row["key_type"] or "ssh", "data": row["key_data"]}]
    if admin_pass:
        document["admin_pass"] = admin_pass
    return document


def _seed(uuid: str) -> bytes:
    return random.Random(hashlib.sha512(uuid.encode()).digest()).randbytes(512)  # noqa: S311  # mixed in by guests, not trusted


def network_data(nics: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """``network_data.json`` from ports in the shape of ``hypervisor.contracts.Nic``."""
    links, networks, services = [], [], []
    for number, nic in enumerate(nics):
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
        for place, fixed in enumerate(nic["fixed_ips"]):
            subnet = fixed["subnet"]
            networks.append(_network(nic, fixed, f"network{number}" + (f"-{place}" if place else ""), link))
            services.extend({"type": "dns", "address": address} for address in subnet["dns"])
    return {"links": links, "networks": networks, "services": services}


def _link_type(vif_type: str) -> str:
    return {"bridge": "bridge", "ovs": "ovs", "tap": "tap"}.get(vif_type, "phy")


def _network(nic: Mapping[str, Any], fixed: Mapping[str, Any], name: str, link: str) -> dict[str, Any]:
    subnet = fixed["subnet"]
    version = subnet["version"]
    document: dict[str, Any] = {
        "id": name,
        "type": f"ipv{version}_dhcp" if subnet["dhcp"] and version == 4 else f"ipv{version}",  # noqa: PLR2004  # IP version
        "link": link,
        "network_id": nic["network_id"],
        "services": [{"type": "dns", "address": address} for address in subnet["dns"]],
    }
    if document["type"] == f"ipv{version}":
        cidr = subnet["cidr"].split("/")
        document |= {"ip_address": fixed["address"], "netmask": _netmask(int(cidr[1]), version)}
        routes = []
        if subnet["gateway"]:
            anywhere = "0.0.0.0" if version == 4 else "::"  # noqa: PLR2004  # IP version
            routes.append({"network": anywhere, "netmask": anywhere, "gateway": subnet["gateway"]})
        document["routes"] = routes
    return document


def _netmask(prefix: int, version: int) -> str:
    import ipaddress  # noqa: PLC0415  # loaded by servers with static addresses only

    anywhere = "0.0.0.0" if version == 4 else "::"  # noqa: PLR2004  # IP version
    return str(ipaddress.ip_network(f"{anywhere}/{prefix}").netmask)


def config_drive(
    row: Mapping[str, Any], nics: Sequence[Mapping[str, Any]], options: GuestDataOptions, admin_pass: str | None
) -> dict[str, str]:
    """Files of the config drive: path → base64 content."""
    meta = codec.dumps(meta_data(row, options, admin_pass=admin_pass))
    network = codec.dumps(network_data(nics))
    files: dict[str, bytes] = {}
    for version in ("2018-08-27", "2020-10-14", "latest"):
        files[f"openstack/{version}/meta_data.json"] = meta
        files[f"openstack/{version}/network_data.json"] = network
        files[f"openstack/{version}/vendor_data.json"] = b"{}"
        files[f"openstack/{version}/vendor_data2.json"] = b"{}"
    ec2 = codec.dumps(ec2_meta_data(row, nics, options))
    files["ec2/2009-04-04/meta-data.json"] = files["ec2/latest/meta-data.json"] = ec2
    if row["user_data"]:
        data = base64.b64decode(row["user_data"])
        files["openstack/latest/user_data"] = data
        files["ec2/latest/user-data"] = data
    for number, entry in enumerate(codec.loads(row["personality"]) or ()):
        files[f"openstack/content/{number:04d}"] = base64.b64decode(entry["contents"])
    return {path: base64.b64encode(data).decode() for path, data in files.items()}


def ec2_meta_data(
    row: Mapping[str, Any], nics: Sequence[Mapping[str, Any]], options: GuestDataOptions
) -> dict[str, Any]:
    """The EC2 ``meta-data`` tree."""
    host = full_hostname(row, options.dhcp_domain)
    fixed = [ip["address"] for nic in nics for ip in nic["fixed_ips"]]
    ipv4 = next((a for a in fixed if ":" not in a), "")
    tree: dict[str, Any] = {
        "ami-id": f"ami-{row['id']:08x}",
        "ami-launch-index": str(row["launch_index"]),
        "ami-manifest-path": "",
        "block-device-mapping": {"ami": "vda", "root": "/dev/vda"},
        "hostname": host,
        "instance-action": "none",
        "instance-id": f"i-{row['id']:08x}",
        "instance-type": codec.loads(row["flavor"]).get("original_name", ""),
        "local-hostname": host,
        "local-ipv4": ipv4,
        "placement": {"availability-zone": row["availability_zone"] or ""},
        "public-hostname": host,
        "public-ipv4": "",
        "reservation-id": row["reservation_id"] or "",
        "security-groups": [group["name"] for group in codec.loads(row["security_groups"])],
    }
    if row["key_name"]:
        tree["public-keys"] = {"0": {"_name": f"0={row['key_name']}", "openssh-key": row["key_data"]}}
    return tree
