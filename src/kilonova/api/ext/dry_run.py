"""``POST /ext/v1/servers/dry-run``: what would become of a create request; nothing is written or claimed."""

import uuid as uuids
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kilonova.api import quota_limits
from kilonova.api.ext.why import filters
from kilonova.api.servers.create import checked
from kilonova.api.servers.schema import CREATE
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.operations import build, grouping
from kilonova.scheduling.request import ServerRequest
from kilonova.store import server_mappings

_COUNTED_TO = 100
"""Servers beyond those asked for that are counted, so that the answer stays quick."""


def rehearse(call: Call) -> Any:
    """The body of ``POST /servers`` as it is; refused as there if it is wrong."""
    new = checked(call)
    limits = _quota(call, new)
    allowed = min(
        (entry["left"] // entry["each"] for entry in limits.values() if entry["left"] is not None), default=new.most
    )
    placed, tally, words = call.app.placer.rehearse(_request(call, new))
    fits = max(0, min(placed, allowed))
    reasons = [words] if words and placed < new.most else []
    reasons += [_over(name, entry) for name, entry in limits.items() if allowed < new.most and _short(entry, new.most)]
    verdict = "accepted" if fits >= new.most else "fewer" if fits >= new.least else "refused"
    return {
        "dry_run": {
            "verdict": verdict,
            "asked_for": {"min": new.least, "max": new.most},
            "would_fit": placed,
            "counted_to": max(new.most, _COUNTED_TO),
            "quota": {name: {k: v for k, v in entry.items() if k != "each"} for name, entry in limits.items()},
            "had_room": tally.get("candidates", 0),
            "filters": filters(tally),
            "reasons": reasons,
        }
    }


def _quota(call: Call, new: build.NewServers) -> dict[str, dict[str, Any]]:
    """Limit, use and what is left of each counted resource; None means no limit."""
    project, user = str(new.row["project_id"]), str(new.row["user_id"])
    with call.app.store.api.read() as connection:
        used = server_mappings.usage(connection, project)
        limits = quota_limits.effective(call, connection, project, user)
    each = {"instances": 1, "cores": new.row["vcpus"], "ram": new.row["memory_mb"]}
    return {name: _entry(limits[name], used[name], each[name]) for name in server_mappings.COUNTED}


def _entry(limit: int, used: int, each: int) -> dict[str, Any]:
    endless = limit < 0
    return {
        "limit": None if endless else limit,
        "used": used,
        "left": None if endless or not each else max(0, limit - used),
        "each": each,
    }


def _short(entry: Mapping[str, Any], count: int) -> bool:
    return entry["left"] is not None and entry["left"] < entry["each"] * count


def _over(name: str, entry: Mapping[str, Any]) -> str:
    return f"Quota of {name}: {entry['used']} of {entry['limit']} in use, each server takes {entry['each']}."


def _request(call: Call, new: build.NewServers) -> ServerRequest:
    group = grouping.group_facts(call.app.store, new.command.group) if new.command.group else None
    servers = [str(uuids.uuid4()) for _ in range(max(new.most, _COUNTED_TO))]
    request = build.server_request({**new.row, "uuid": servers[0]}, new.command, group=group)
    return replace(request, server_uuids=tuple(servers))


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/ext/v1/servers/dry-run",
        handler=rehearse,
        body=CREATE,
        summary="What would become of a create request",
    ),
)
