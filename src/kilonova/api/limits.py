"""Absolute limits of a project and what it uses of them."""

from typing import Any

from kilonova.api import fields, quota_limits
from kilonova.api.microversions import STRICT_QUERY
from kilonova.kit.http.document import Document, Out
from kilonova.kit.http.endpoint import Call, Endpoint

_NETWORK_UNTIL = (2, 35)
_IMAGES_UNTIL = (2, 38)
_FILES_UNTIL = (2, 56)
# Rows hold limits by the quota's names and usage below "used:<name>".
ABSOLUTE = Document(
    (
        Out("maxServerMeta", "metadata_items"),
        Out("maxImageMeta", "metadata_items", until=_IMAGES_UNTIL),
        Out("maxPersonality", "injected_files", until=_FILES_UNTIL),
        Out("maxPersonalitySize", "injected_file_content_bytes", until=_FILES_UNTIL),
        Out("maxTotalInstances", "instances"),
        Out("maxTotalCores", "cores"),
        Out("maxTotalRAMSize", "ram"),
        Out("maxTotalKeypairs", "key_pairs"),
        Out("maxServerGroups", "server_groups"),
        Out("maxServerGroupMembers", "server_group_members"),
        Out("maxSecurityGroups", lambda _row, _view: -1, until=_NETWORK_UNTIL),
        Out("maxSecurityGroupRules", lambda _row, _view: -1, until=_NETWORK_UNTIL),
        Out("maxTotalFloatingIps", lambda _row, _view: -1, until=_NETWORK_UNTIL),
        Out("totalInstancesUsed", "used:instances"),
        Out("totalCoresUsed", "used:cores"),
        Out("totalRAMUsed", "used:ram"),
        Out("totalServerGroupsUsed", "used:server_groups"),
        Out("totalSecurityGroupsUsed", lambda _row, _view: 0, until=_NETWORK_UNTIL),
        Out("totalFloatingIpsUsed", lambda _row, _view: 0, until=_NETWORK_UNTIL),
    )
)


def show(call: Call) -> Any:
    """The caller's project, or with a further policy another one (``tenant_id``)."""
    own = str(call.context.project_id)
    project_id = call.one("tenant_id") or own
    if project_id != own:
        call.demand("os_compute_api:limits:other_project", {"project_id": project_id})
    with call.app.store.api.read() as connection:
        limits = quota_limits.effective(call, connection, project_id)
        used = quota_limits.used(call, connection, project_id)
    row = {**limits, **{f"used:{name}": max(0, count) for name, count in used.items()}}
    return {"limits": {"rate": [], "absolute": ABSOLUTE.compile(call.version)(row, None)}}


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/limits",
        handler=show,
        rule="os_compute_api:limits",
        query=fields.query("tenant_id", "reserved"),
        strict_query=STRICT_QUERY,
        summary="Show absolute limits",
    ),
)
