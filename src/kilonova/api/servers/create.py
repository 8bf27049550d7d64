"""``POST /servers``: checks everything that can be known before a host is chosen, then accepts."""

import re
import secrets
import string
from collections.abc import Mapping, Sequence
from typing import Any

from kilonova.api import fields, links, notices, quota_limits
from kilonova.api.servers import block_devices, finding
from kilonova.api.servers.networking import resolve as resolve_networks
from kilonova.api.servers.schema import CREATE, shortened
from kilonova.domain import quota
from kilonova.domain.block_device import BlockDevice
from kilonova.domain.flavor import FlavorNotFound
from kilonova.domain.keypair import KeypairNotFound
from kilonova.kit import codec
from kilonova.kit.errors import Invalid, OverQuota
from kilonova.kit.http.endpoint import Call, Endpoint, Reply
from kilonova.operations import build
from kilonova.store import flavors, hosts, keypairs, server_groups, servers
from kilonova.store.cell import Answers
from kilonova.store.cells import Store

_RULE = "os_compute_api:servers:create"
_FORCED_RULE = "os_compute_api:servers:create:forced_host"
_DESTINATION_RULE = "compute:servers:create:requested_destination"
_ATTACH_NETWORK_RULE = "os_compute_api:servers:create:attach_network"
_CERTS_RULE = "os_compute_api:servers:create:trusted_certs"
_MOST_SERVERS = 1000
_PASSWORD_ALPHABET = string.ascii_letters + string.digits
_USUAL_GROUPS = ({"name": "default"},)
_RANDOM = secrets.SystemRandom()


def create(call: Call) -> Reply:
    """Accept one request for one or several servers."""
    new = checked(call)
    app = call.app
    rows = build.accept(app.store, app.clock, quota_limits.ours(call), app.bell, call.context, new)
    notices.joined(call, new.command.group, [row["uuid"] for row in rows])
    return _reply(call, rows[0], new.command.admin_pass)


def checked(call: Call) -> build.NewServers:
    """What the request asks for, with all that can be known before a host is chosen. Raises what is wrong with it."""
    own = {"project_id": call.context.project_id, "user_id": call.context.user_id}
    call.demand(_RULE, own)
    body = call.body["server"]
    least, most = _counts(body)
    flavor, keypair = _from_api_database(call, body)
    image, devices = block_devices.resolve(call, body, flavor)
    check_limits(call, body)
    command, zone = _destination(call, body, own)
    zone = block_devices.zone_of(call, devices, zone)
    hints = _hints(call)
    group = _group(call, hints, most)
    networks, groups = resolve_networks(call, body, most)
    password = body.get("adminPass") or new_password(call)
    row = {
        **flavor_columns(flavor, local_root=image is None or bool(image["id"])),
        **_image_columns(image),
        **key_columns(keypair),
        **shortened(_own_columns(call, body)),
        "availability_zone": None,
        "pinned_zone": zone,
        "networks": codec.text(networks),
        "security_groups": codec.text(groups),
        "hints": codec.text(hints),
    }
    return build.NewServers(
        name=body["name"],
        row=row,
        command=build.Build(admin_pass=password, zone=zone, group=group, **_for_volumes(call, devices), **command),
        devices=devices,
        least=least,
        most=most,
    )


def reply_again(call: Call, accepted: Sequence[Mapping[str, Any]]) -> Reply:
    """The reply of a create that the journal has: its operations, in their order."""
    wanted = accepted[0]["server_uuid"]
    answers = call.app.store.ask(lambda connection: servers.get(connection, wanted, deleted=True))
    first = next((row for row in answers.values() if row is not None), None)
    if first is None:
        raise finding.ServerNotFound(uuid=wanted)
    return _reply(call, first, codec.loads(accepted[0]["command"])["admin_pass"])


def _reply(call: Call, first: Mapping[str, Any], password: str | None) -> Reply:
    body = call.body["server"]
    if fields.truth(body.get("return_reservation_id", False)):
        return Reply({"reservation_id": first["reservation_id"]})
    self_links = links.linker(call, "servers")(first["uuid"])
    server: dict[str, Any] = {
        "id": first["uuid"],
        "links": self_links,
        "OS-DCF:diskConfig": first["disk_config"],
        "security_groups": [{"name": group["name"]} for group in body.get("security_groups", _USUAL_GROUPS)],
    }
    if call.app.api.enable_instance_password:
        server["adminPass"] = password
    return Reply({"server": server}, headers={"Location": self_links[0]["href"]})


def _counts(body: Mapping[str, Any]) -> tuple[int, int]:
    least = fields.whole("min_count", body.get("min_count", 1), 1)
    most = fields.whole("max_count", body.get("max_count", least), 1)
    if least > most:
        raise Invalid("min_count must be <= max_count")
    if most > _MOST_SERVERS:
        raise Invalid(f"max_count: at most {_MOST_SERVERS} servers can be asked for in one request")
    return least, most


def _from_api_database(call: Call, body: Mapping[str, Any]) -> tuple[Any, Any]:
    """Flavor and key pair; what the *body* names and does not exist is 400."""
    flavor_id = _last_segment(str(body["flavorRef"]))
    context = call.context
    with call.app.store.api.read() as connection:
        try:
            flavor = flavors.find(
                connection, flavor_id, project_id=context.project_id, see_all=call.allow("context_is_admin", {})
            )
        except FlavorNotFound as error:
            raise Invalid(f"flavorRef: {error}") from None
        if flavor["disabled"]:
            raise Invalid(f"flavorRef: Flavor {flavor_id} could not be found.")
        keypair = None
        if "key_name" in body:
            keypair = keypair_of(call, connection, body["key_name"])
    return flavor, keypair


def keypair_of(call: Call, connection: Any, name: str) -> Any:
    """The caller's key pair. Raises Invalid."""
    try:
        return keypairs.find(connection, str(call.context.user_id), name)
    except KeypairNotFound:
        raise Invalid(f"key_name: Invalid key_name '{name}' provided.") from None


def _last_segment(reference: str) -> str:
    """Old clients name flavors and images by URL."""
    return reference.rstrip("/").rsplit("/", 1)[-1]


def flavor_columns(flavor: Any, *, local_root: bool) -> dict[str, Any]:
    """Columns of a server that its flavor gives; ``local_root``: its root disk is no volume."""
    shown = {
        "vcpus": flavor["vcpus"],
        "ram": flavor["memory_mb"],
        "disk": flavor["root_gb"],
        "ephemeral": flavor["ephemeral_gb"],
        "swap": flavor["swap_mb"],
        "original_name": flavor["name"],
        "extra_specs": codec.loads(flavor["extra_specs"]),
    }
    return {
        "flavor_id": flavor["flavor_id"],
        "flavor": codec.text(shown),
        "vcpus": flavor["vcpus"],
        "memory_mb": flavor["memory_mb"],
        "disk_gb": (flavor["root_gb"] if local_root else 0) + flavor["ephemeral_gb"],
    }


def _image_columns(image: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"image_ref": image["id"] if image else "", "image": codec.text(image) if image else None}


def _for_volumes(call: Call, devices: Sequence[BlockDevice]) -> dict[str, Any]:
    """Volumes that are made later are made in the user's name."""
    if not any(device.is_volume and device.source_type != "volume" for device in devices):
        return {}
    return {"token": call.context.token, "volumes_near": not call.app.cross_az_attach}


def key_columns(keypair: Any) -> dict[str, Any]:
    """What a server keeps of its key pair (None: of none)."""
    if keypair is None:
        return {"key_name": None, "key_type": None, "key_data": None}
    return {"key_name": keypair["name"], "key_type": keypair["type"], "key_data": keypair["public_key"]}


def _own_columns(call: Call, body: Mapping[str, Any]) -> dict[str, Any]:
    drive = fields.truth(body.get("config_drive", False)) or call.app.compute.force_config_drive
    certs = body.get("trusted_image_certificates")
    if certs is not None:
        call.demand(_CERTS_RULE, {"project_id": call.context.project_id})
    return {
        "project_id": call.context.project_id,
        "user_id": call.context.user_id,
        "hostname": body.get("hostname") or hostname_of(body["name"]),
        "description": body.get("description") if call.at_least(19) else body["name"],
        "config_drive": drive,
        "user_data": body.get("user_data"),
        "personality": codec.text(body["personality"]) if body.get("personality") else None,
        "metadata": codec.text(body.get("metadata", {})),
        "tags": codec.text(list(dict.fromkeys(body.get("tags", ())))),
        "network_info": "[]",
        "addresses": "{}",
        "ips": "",
        "trusted_certs": codec.text(certs) if certs is not None else None,
        "access_ip_v4": body.get("accessIPv4"),
        "access_ip_v6": body.get("accessIPv6"),
        "disk_config": body.get("OS-DCF:diskConfig", "MANUAL"),
        "root_device_name": None,
        "boot_roles": ",".join(call.context.roles) or None,
        "progress": 0,
    }


def hostname_of(name: str) -> str:
    """A name as a host name (RFC 1123 label); empty when nothing usable is left."""
    text = re.sub(r"[ _]", "-", name.encode("ascii", "ignore").decode().lower())
    text = re.sub(r"[^\w.-]+", "", text).strip(".-")
    return re.sub(r"\.", "-", text)[:63].strip("-")


def check_limits(call: Call, body: Mapping[str, Any]) -> None:
    """Metadata and injected files against the quotas. Raises OverQuota."""
    metadata, files = body.get("metadata", {}), body.get("personality", ())
    if not metadata and not files:
        return
    limits = quota_limits.of_caller(call)
    if quota.exceeds(limits["metadata_items"], 0, len(metadata)):
        raise OverQuota(f"Maximum number of metadata items exceeds {limits['metadata_items']}")
    if quota.exceeds(limits["injected_files"], 0, len(files)):
        raise OverQuota(f"Personality file limit exceeded: at most {limits['injected_files']} files")
    for entry in files:
        if quota.exceeds(limits["injected_file_path_bytes"], 0, len(entry["path"])):
            raise OverQuota("Personality file path exceeds maximum length")
        if quota.exceeds(limits["injected_file_content_bytes"], 0, len(entry["contents"]) * 3 // 4):
            raise OverQuota("Personality file content exceeds maximum size")


def _destination(call: Call, body: Mapping[str, Any], own: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    """Requested host and node, and the zone. Raises Invalid for a zone that does not exist."""
    zone: str | None = body.get("availability_zone") or call.app.compute.default_schedule_zone
    wanted: dict[str, Any] = {"host": body.get("host"), "node": body.get("hypervisor_hostname")}
    if wanted["host"] or wanted["node"]:
        call.demand(_DESTINATION_RULE, own)
        if zone and ":" in zone:
            raise Invalid("availability_zone: a host in the zone and the host field exclude each other")
    if zone and ":" in zone:
        parts = zone.split(":")
        if len(parts) > 3:  # noqa: PLR2004  # zone:host:node
            raise Invalid(f"availability_zone: Unable to parse availability_zone '{zone}'")
        call.demand(_FORCED_RULE, own)
        zone, host, node = (*parts, "")[:3]
        wanted = {"host": host or None, "node": node or None, "forced": True}
    check_destination(call, zone, wanted)
    return wanted, zone or None


def check_destination(call: Call, zone: str | None, wanted: Mapping[str, Any]) -> None:
    """Whether zone, host and node exist. Raises Invalid."""
    if zone and zone != call.app.compute.default_availability_zone and zone not in _zones(call):
        raise Invalid(f"availability_zone: The requested availability zone '{zone}' is not available")
    if not (wanted["host"] or wanted["node"]):
        return
    answers = _who_has(call, wanted)
    if not any(answers.values()) and call.app.store.wake(answers.down):
        answers = _who_has(call, wanted)
    if any(answers.values()):
        return
    answers.whole()
    raise Invalid(f"Compute host {wanted['host'] or wanted['node']} could not be found.")


def _who_has(call: Call, wanted: Mapping[str, Any]) -> Answers[bool]:
    store: Store = call.app.store
    return store.ask(lambda there: hosts.node_exists(there, wanted["host"], wanted["node"]), store.working)


def _zones(call: Call) -> set[str]:
    with call.app.store.api.read() as connection:
        found = hosts.aggregates_with_hosts(connection)
    return {zone for row in found if (zone := codec.loads(row["metadata"]).get("availability_zone"))}


def _hints(call: Call) -> dict[str, Any]:
    body = call.body
    found: dict[str, Any] = body.get("os:scheduler_hints") or body.get("OS-SCH-HNT:scheduler_hints") or {}
    return found


def _group(call: Call, hints: Mapping[str, Any], count: int) -> str | None:
    """The server group hint, checked. Raises Invalid, TooManyGroupMembers."""
    uuid = hints.get("group")
    if uuid is None:
        return None
    with call.app.store.api.read() as connection:
        group = server_groups.get(connection, uuid)
        if group is None or group["project_id"] != call.context.project_id:
            raise Invalid(f"os:scheduler_hints.group: Server group {uuid} could not be found.")
        used = len(server_groups.members(connection, uuid))
    quota.demand("server_group_members", quota_limits.of_caller(call)["server_group_members"], used, count)
    return str(uuid)


def new_password(call: Call) -> str:
    """For users who chose none."""
    length = call.app.compute.password_length
    return "".join(_RANDOM.choices(_PASSWORD_ALPHABET, k=length))


ENDPOINTS = (
    Endpoint(method="POST", path="/servers", handler=create, body=CREATE, status=202, summary="Create servers"),
)
