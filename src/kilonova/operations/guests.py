"""From a server's row to what a host is told: the guest's specification."""

from collections.abc import Mapping, Sequence
from typing import Any

from kilonova.clients.glance.facts import Image
from kilonova.domain import guest_data
from kilonova.domain.block_device import BlockDevice
from kilonova.hypervisor.contracts import GuestShare, GuestSpec, ImageFacts, Nic, VolumeDisk
from kilonova.kit import codec
from kilonova.operations.work import Row, Tools, Work
from kilonova.store import block_devices, shares


def specification(work: Work, server: Row, *, admin_pass: str | None = None, held: bool = False) -> dict[str, Any]:
    """``hypervisor.contracts.GuestSpec`` of a server with its disks as they are now, packed for the bus."""
    tools = work.tools
    devices = devices_of(work, server["uuid"])
    flavor = codec.loads(server["flavor"])
    image = codec.loads(server["image"]) if server["image"] else None
    nics = codec.loads(server["network_info"])
    drive = None
    if server["config_drive"]:
        drive = guest_data.config_drive(server, nics, tools.metadata, admin_pass)
    spec = GuestSpec(
        uuid=server["uuid"],
        name=guest_name(tools, server),
        display_name=server["name"],
        project_id=server["project_id"],
        user_id=server["user_id"],
        flavor_name=flavor["original_name"],
        vcpus=flavor["vcpus"],
        memory_mb=flavor["ram"],
        root_gb=flavor["disk"],
        ephemerals_gb=tuple(d.volume_size or flavor["ephemeral"] for d in devices if d.is_ephemeral)
        or ((flavor["ephemeral"],) if flavor["ephemeral"] else ()),
        swap_mb=sum(d.volume_size or flavor["swap"] for d in devices if d.is_swap) or flavor["swap"],
        extra_specs=flavor.get("extra_specs", {}),
        image=image_facts(image),
        nics=tuple(codec.unpack(nic, Nic) for nic in nics),
        volumes=tuple(disk(device) for device in devices if device.is_volume and device.connection_info),
        shares=_shares(work, server["uuid"]),
        config_drive=drive,
        node=server["node"],
        held=held,
    )
    packed: dict[str, Any] = codec.pack(spec)
    return packed


def _shares(work: Work, server_uuid: str) -> tuple[GuestShare, ...]:
    with work.cell.database.read() as connection:
        found = shares.of_server(connection, server_uuid)
    return tuple(
        GuestShare(share_id=row["share_id"], tag=row["tag"], export=row["export_location"])
        for row in found
        if row["status"] in ("inactive", "active")
    )


def devices_of(work: Work, server_uuid: str) -> list[BlockDevice]:
    """The server's block devices as they are now."""
    with work.cell.database.read() as connection:
        return block_devices.of_server(connection, server_uuid)


def disk(device: BlockDevice) -> VolumeDisk:
    """An attached volume as a host is told of it."""
    connection = dict(device.connection_info or {})
    return VolumeDisk(
        volume_id=device.volume_id or "",
        connection=connection,
        device_name=device.device_name or "",
        boot_index=device.boot_index,
        bus=device.disk_bus,
        device_type=device.device_type,
        tag=device.tag,
        multiattach=bool(connection.get("multiattach")),
    )


def guest_name(tools: Tools, server: Row) -> str:
    """``OS-EXT-SRV-ATTR:instance_name``."""
    template: str = tools.options.instance_name_template
    return template % server["id"] if "%(" not in template else template % server


def image_facts(facts: Mapping[str, Any] | None) -> ImageFacts | None:
    """An image as hosts are told of it, from how rows keep it; of the one on a root volume, without an id."""
    if not facts:
        return None
    return ImageFacts(
        id=facts["id"],
        disk_format=facts["disk_format"],
        size=facts["size"],
        min_disk_gb=facts.get("min_disk", 0),
        checksum=facts.get("hash"),
        properties=facts.get("properties", {}),
    )


def image_row(image: Image) -> dict[str, Any]:
    """What Glance says of an image, as rows keep it."""
    return {
        "id": image.id,
        "disk_format": image.disk_format or "raw",
        "size": image.size,
        "min_disk": image.min_disk,
        "min_ram": image.min_ram,
        "hash": f"{image.hash_algo}:{image.hash_value}" if image.hash_algo and image.hash_value else None,
        "properties": dict(image.properties),
    }


def addresses(nics: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The API's ``addresses``: network name → addresses, fixed ones with their floating ones behind them."""
    found: dict[str, list[dict[str, Any]]] = {}
    for nic in nics:
        entries = found.setdefault(nic["label"], [])
        for fixed in nic["fixed_ips"]:
            entries.append(_address(fixed["address"], "fixed", nic["mac"]))
            entries.extend(_address(a, "floating", nic["mac"]) for a in fixed.get("floating", ()))
    return found


def _address(address: str, kind: str, mac: str) -> dict[str, Any]:
    version = 6 if ":" in address else 4
    return {"version": version, "addr": address, "OS-EXT-IPS:type": kind, "OS-EXT-IPS-MAC:mac_addr": mac}


def network_columns(nics: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Columns of the server that follow from its ports."""
    shown = addresses(nics)
    ips = " ".join(entry["addr"] for entries in shown.values() for entry in entries)
    return {"network_info": codec.text(list(nics)), "addresses": codec.text(shown), "ips": ips}
