"""Payloads about one server, from its row. Facts: the notification samples of the reference release."""

from collections.abc import Mapping, Sequence
from typing import Any

from kilonova.domain.block_device import BlockDevice
from kilonova.domain.keypair import ssh_fingerprint, x509_fingerprint
from kilonova.domain.notifications.envelope import wrapped
from kilonova.kit import codec
from kilonova.kit.clock import show

Row = Mapping[str, Any]
_POWER = {0: "pending", 1: "running", 3: "paused", 4: "shutdown", 6: "crashed", 7: "suspended"}


def instance(row: Row, cause: Row, devices: Sequence[BlockDevice] | None = None) -> dict[str, Any]:
    """What every payload about a server has. ``cause``: request_id, user_id and project_id of who acts."""
    image = codec.loads(row["image"]) if row["image"] else {}
    properties = image.get("properties", {})
    return {
        "architecture": properties.get("architecture") or properties.get("hw_architecture"),
        "availability_zone": row["availability_zone"],
        "block_devices": None if devices is None else [_device(device) for device in devices],
        "created_at": show(row["created_at"]),
        "deleted_at": show(row["deleted_at"]),
        "display_name": row["name"],
        "display_description": row["description"],
        "host": row["host"],
        "host_name": row["hostname"],
        "ip_addresses": _addresses(codec.loads(row["network_info"])),
        "kernel_id": properties.get("kernel_id", ""),
        "key_name": row["key_name"],
        "launched_at": show(row["launched_at"]),
        "image_uuid": row["image_ref"],
        "metadata": codec.loads(row["metadata"]),
        "locked": row["locked_by"] is not None,
        "node": row["node"],
        "os_type": properties.get("os_type"),
        "progress": row["progress"],
        "ramdisk_id": properties.get("ramdisk_id", ""),
        "reservation_id": row["reservation_id"],
        "state": row["vm_state"],
        "task_state": row["task_state"],
        "power_state": _POWER.get(row["power_state"], "pending"),
        "tenant_id": row["project_id"],
        "terminated_at": show(row["terminated_at"]),
        "auto_disk_config": row["disk_config"],
        "flavor": flavor_as_built(row["flavor_id"], codec.loads(row["flavor"])),
        "updated_at": show(row["updated_at"]),
        "user_id": row["user_id"],
        "uuid": row["uuid"],
        "request_id": cause["request_id"],
        "action_initiator_user": cause["user_id"],
        "action_initiator_project": cause["project_id"],
        "locked_reason": row["locked_reason"],
        "shares": [],
    }


def _device(device: BlockDevice) -> dict[str, Any]:
    names = ("boot_index", "delete_on_termination", "device_name", "tag", "volume_id")
    return wrapped("BlockDevicePayload", {name: getattr(device, name) for name in names})


def _addresses(nics: Sequence[Row]) -> list[dict[str, Any]]:
    return [
        wrapped(
            "IpPayload",
            {
                "mac": nic["mac"],
                "address": fixed["address"],
                "port_uuid": nic["port_id"],
                "meta": {},
                "version": 6 if ":" in fixed["address"] else 4,
                "label": nic["label"],
                "device_name": nic["devname"],
            },
        )
        for nic in nics
        for fixed in nic.get("fixed_ips", ())
    ]


def flavor_as_built(flavor_id: str, flavor: Row) -> dict[str, Any]:
    """The flavor a server was given, which may have changed since."""
    data = {
        "flavorid": flavor_id,
        "name": flavor["original_name"],
        "root_gb": flavor["disk"],
        "vcpus": flavor["vcpus"],
        "ephemeral_gb": flavor["ephemeral"],
        "memory_mb": flavor["ram"],
        "disabled": False,
        "rxtx_factor": 1.0,
        "extra_specs": flavor.get("extra_specs", {}),
        "projects": None,
        "swap": flavor["swap"],
        "is_public": True,
        "vcpu_weight": 0,
        "description": None,
    }
    return wrapped("FlavorPayload", data)


def created(row: Row, name_on_host: str) -> dict[str, Any]:
    """What InstanceCreatePayload has besides."""
    key = {
        "user_id": row["user_id"],
        "name": row["key_name"],
        "fingerprint": _fingerprint(row),
        "public_key": row["key_data"],
        "type": row["key_type"],
    }
    return {
        "keypairs": [wrapped("KeypairPayload", key)] if row["key_name"] else [],
        "tags": codec.loads(row["tags"]),
        "trusted_image_certificates": codec.loads(row["trusted_certs"]),
        "instance_name": name_on_host,
    }


def _fingerprint(row: Row) -> str:
    if not row["key_data"]:
        return ""
    make = x509_fingerprint if row["key_type"] == "x509" else ssh_fingerprint
    return make(row["key_data"])


def updated(row: Row, before: Row) -> dict[str, Any]:
    """What InstanceUpdatePayload has besides; ``before``: the row as it was."""
    states = {
        "old_state": before["vm_state"],
        "state": row["vm_state"],
        "old_task_state": before["task_state"],
        "new_task_state": row["task_state"],
    }
    now = row["updated_at"]
    return {
        "audit_period": audit_period(f"{now[:7]}-01T00:00:00", now),
        "old_display_name": before["name"] if before["name"] != row["name"] else None,
        "state_update": wrapped("InstanceStateUpdatePayload", states),
        "tags": codec.loads(row["tags"]),
    }


def audit_period(begin: str, end: str) -> dict[str, Any]:
    """A stretch of time that usage is told of."""
    period = {"audit_period_beginning": show(begin), "audit_period_ending": show(end)}
    return wrapped("AuditPeriodPayload", period)


def volume_usage(row: Row, volume_id: str, counters: Row, now: str) -> dict[str, Any]:
    """What a server did with a volume; ``counters``: reads, read_bytes, writes, write_bytes."""
    data = {
        "volume_id": volume_id,
        "instance_uuid": row["uuid"],
        "project_id": row["project_id"],
        "user_id": row["user_id"],
        "availability_zone": row["availability_zone"],
        "last_refreshed": show(now),
        **counters,
    }
    return wrapped("VolumeUsagePayload", data)


def placement_request(row: Row, command: Row) -> dict[str, Any]:
    """RequestSpecPayload of a server that is being placed."""
    image = codec.loads(row["image"]) if row["image"] else {}
    data = {
        "availability_zone": command.get("zone"),
        "flavor": flavor_as_built(row["flavor_id"], codec.loads(row["flavor"])),
        "ignore_hosts": None,
        "image": _image(image),
        "instance_uuid": row["uuid"],
        "num_instances": 1,
        "numa_topology": None,
        "pci_requests": None,
        "project_id": row["project_id"],
        "scheduler_hints": codec.loads(row["hints"]),
        "security_groups": [group["name"] for group in codec.loads(row["security_groups"])],
        "force_hosts": [command["host"]] if command.get("forced") and command.get("host") else None,
        "force_nodes": [command["node"]] if command.get("forced") and command.get("node") else None,
        "instance_group": None,
        "requested_destination": None,
        "retry": None,
        "user_id": row["user_id"],
    }
    return wrapped("RequestSpecPayload", data)


def _image(image: Row) -> dict[str, Any]:
    known = ("id", "name", "disk_format", "size", "min_disk", "min_ram", "checksum", "owner", "visibility")
    rest = ("container_format", "created_at", "direct_url", "protected", "status", "tags", "updated_at", "virtual_size")
    data = {name: image.get(name) for name in (*known, *rest)}
    data["properties"] = wrapped("ImageMetaPropsPayload", image.get("properties", {}))
    return wrapped("ImageMetaPayload", data)


def unversioned(row: Row) -> dict[str, Any]:
    """The flat payload of ``compute.instance.*`` notifications of the old form."""
    flavor = codec.loads(row["flavor"])
    image = codec.loads(row["image"]) if row["image"] else {}
    return {
        "tenant_id": row["project_id"],
        "user_id": row["user_id"],
        "instance_id": row["uuid"],
        "display_name": row["name"],
        "reservation_id": row["reservation_id"],
        "hostname": row["hostname"],
        "instance_type": flavor["original_name"],
        "instance_flavor_id": row["flavor_id"],
        "architecture": image.get("properties", {}).get("architecture"),
        "memory_mb": flavor["ram"],
        "disk_gb": flavor["disk"] + flavor["ephemeral"],
        "vcpus": flavor["vcpus"],
        "root_gb": flavor["disk"],
        "ephemeral_gb": flavor["ephemeral"],
        "host": row["host"],
        "node": row["node"],
        "availability_zone": row["availability_zone"],
        "created_at": show(row["created_at"]),
        "terminated_at": show(row["terminated_at"]) or "",
        "deleted_at": show(row["deleted_at"]) or "",
        "launched_at": show(row["launched_at"]) or "",
        "image_ref_url": row["image_ref"],
        "image_meta": image.get("properties", {}),
        "state": row["vm_state"],
        "state_description": row["task_state"] or "",
        "progress": row["progress"] or "",
        "access_ip_v4": row["access_ip_v4"],
        "access_ip_v6": row["access_ip_v6"],
        "metadata": codec.loads(row["metadata"]),
    }
