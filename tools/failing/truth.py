"""What must be true once everything has come to rest, compared with what each neighbour really has."""

import contextlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from deployment.stack import root

from failing.site import HOSTS, Site

_OPEN = ("queued", "running")
_NAMES = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


def query(database: str, text: str, *values: Any) -> list[tuple[Any, ...]]:
    """Rows of one of our databases."""
    with contextlib.closing(root(database)) as connection, connection.cursor() as cursor:
        cursor.execute(text, values)
        return list(cursor.fetchall())


def open_operations() -> int:
    """How many operations have not ended."""
    ((count,),) = query("kilonova_cell", "SELECT count(*) FROM operations WHERE state IN %s", _OPEN)
    return int(count)


def reasons() -> Counter[str]:
    """Why operations failed, without the names in it; to their number."""
    rows = query("kilonova_cell", "SELECT verb, error FROM operations WHERE state = 'failed'")
    return Counter(f"{verb}: {_NAMES.sub('…', error or 'no reason')[:160]}" for verb, error in rows)


def guests(site: Site) -> dict[str, set[str]]:
    """Host → servers that have a guest there, by the host's own file."""
    found: dict[str, set[str]] = {}
    for host in HOSTS:
        there = found[host] = set()
        with (site.directory / host / "guests").open() as lines:
            for line in lines:
                with contextlib.suppress(ValueError):
                    entry = json.loads(line)
                    (there.discard if entry["record"] is None else there.add)(entry["uuid"])
    return found


def told_secrets(site: Site) -> list[str]:
    """Programs whose logs have a password, or the token that users come with."""
    secrets = ("dbrootpass", "mqpass", "servicepass", "metadatasecret", site.word)
    logs = {path.name: path.read_text(errors="replace") for path in site.directory.glob("*.log")}
    return [f"{name} has a secret in it" for name, text in logs.items() if any(secret in text for secret in secrets)]


def wrong(site: Site, accepted: set[str]) -> list[str]:
    """Everything that is not as it must be."""
    api = site.client()
    servers = {s["id"]: s for s in api.call("GET", "/servers/detail?all_tenants=1&limit=1000")["servers"]}
    found = [*_journal(accepted), *_states(servers), *_guests(site, servers), *_claims(site, servers)]
    return [*found, *_ports(site, servers), *_volumes(site, servers), *_quota(servers)]


def _journal(accepted: set[str]) -> Iterator[str]:
    known = defaultdict(list)
    for request, verb, state, error in query("kilonova_cell", "SELECT request_id, verb, state, error FROM operations"):
        known[request].append(state)
        if state in _OPEN:
            yield f"operation {verb} of {request} is {state}: {error}"
        if state == "failed" and not error:
            yield f"operation {verb} of {request} failed without a reason"
    lost = [request for request in accepted if request not in known]
    if lost:
        yield f"{len(lost)} accepted requests have no operation: {lost[:3]}"


def _states(servers: dict[str, Any]) -> Iterator[str]:
    for uuid, server in servers.items():
        if server["OS-EXT-STS:task_state"] is not None:
            yield f"server {uuid} is {server['status']} and still {server['OS-EXT-STS:task_state']}"
        if server["status"] == "ERROR" and not server.get("fault", {}).get("message"):
            yield f"server {uuid} is in ERROR without a reason"
        if server["status"] == "BUILD":
            yield f"server {uuid} is still being built"


def _guests(site: Site, servers: dict[str, Any]) -> Iterator[str]:
    there = guests(site)
    for host, names in there.items():
        for name in names:
            uuid = name.removesuffix("_resize")
            server = servers.get(uuid)
            if server is None:
                yield f"{host} has a guest of {uuid}, which is gone"
            elif server["OS-EXT-SRV-ATTR:host"] != host and server["status"] != "VERIFY_RESIZE":
                yield f"{host} has a guest of {name}, which is on {server['OS-EXT-SRV-ATTR:host']} ({server['status']})"
    for uuid, server in servers.items():
        host = server["OS-EXT-SRV-ATTR:host"]
        if host and server["status"] != "ERROR" and uuid not in there[host]:
            yield f"server {uuid} is {server['status']} on {host}, which has no guest of it"


def _claims(site: Site, servers: dict[str, Any]) -> Iterator[str]:
    placement = site.client("http://127.0.0.1:8778", version="")
    moving = {
        uuid
        for (uuid,) in query("kilonova_cell", "SELECT uuid FROM migrations WHERE status IN ('finished', 'confirming')")
    }
    claimed: dict[str, list[str]] = defaultdict(list)
    for provider in placement.call("GET", "/resource_providers")["resource_providers"]:
        for consumer in placement.call("GET", f"/resource_providers/{provider['uuid']}/allocations")["allocations"]:
            claimed[consumer].append(provider["name"])
    for consumer, hosts in claimed.items():
        server = servers.get(consumer)
        if server is None and consumer not in moving:
            yield f"{consumer}, which is gone, has claims on {hosts}"
        elif server is not None and server["OS-EXT-SRV-ATTR:host"] not in hosts:
            yield f"{consumer} is on {server['OS-EXT-SRV-ATTR:host']} and claims {hosts}"
    for uuid, server in servers.items():
        if server["OS-EXT-SRV-ATTR:host"] and uuid not in claimed:
            yield f"{uuid} is {server['status']} on {server['OS-EXT-SRV-ATTR:host']} without claims"


def _ports(site: Site, servers: dict[str, Any]) -> Iterator[str]:
    nets = site.beside("network")
    count: dict[str, int] = defaultdict(int)
    for port in nets.call("GET", f"/v2.0/ports?network_id={site.network}")["ports"]:
        if re.fullmatch(r"[0-9a-f-]{36}", port["device_id"] or ""):
            count[port["device_id"]] += 1
            if port["device_id"] not in servers:
                yield f"port {port['id']} is of {port['device_id']}, which is gone"
    for uuid, server in servers.items():
        wanted = 0 if server["status"] == "ERROR" and not server["OS-EXT-SRV-ATTR:host"] else 1
        if count[uuid] != wanted:
            yield f"server {uuid} ({server['status']}) has {count[uuid]} ports, not {wanted}"


def _volumes(site: Site, servers: dict[str, Any]) -> Iterator[str]:
    place = f"/v3/{site.project}/volumes/detail?all_tenants=1"
    volumes = [v for v in site.beside("volume").call("GET", place)["volumes"] if v["id"] in site.volumes]
    attached = {(volume["id"], attachment["server_id"]) for volume in volumes for attachment in volume["attachments"]}
    for volume in volumes:
        wanted = "in-use" if volume["attachments"] else "available"
        if volume["status"] != wanted:
            yield f"volume {volume['id']} is {volume['status']}, not {wanted}"
    known = {(v["id"], uuid) for uuid, s in servers.items() for v in s["os-extended-volumes:volumes_attached"]}
    for volume, server in attached - known:
        yield f"volume {volume} says it is attached to {server}, which knows nothing of it"
    for volume, server in known - attached:
        yield f"server {server} says it has volume {volume}, which knows nothing of it"


def _quota(servers: dict[str, Any]) -> Iterator[str]:
    counted = sum(int(row[0]) for row in query("kilonova_api", "SELECT instances FROM quota_usage"))
    if counted != len(servers):
        yield f"quota counts {counted} servers, there are {len(servers)}"
