"""``restore`` and ``forceDelete``: what can be done with a server that is deleted for a while."""

from kilonova.api import fields, quota_limits
from kilonova.api.servers import finding
from kilonova.domain import lifecycle
from kilonova.domain.quota import OverLimit
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.store import server_mappings

_RULE = "os_compute_api:os-deferred-delete:"


def restore(call: Call) -> None:
    """It counts for the quota again from here on. Raises OverLimit (403)."""
    cell, row = finding.find(call, _RULE + "restore")
    finding.unlocked(call, row)
    lifecycle.check("restore", row["uuid"], row["vm_state"], row["task_state"])
    wanted = {"instances": 1, "cores": row["vcpus"], "ram": row["memory_mb"]}
    project, user = row["project_id"], row["user_id"]
    quota = quota_limits.options(call, project)
    demand = server_mappings.Demand(project, user, wanted, quota.limits(), quota.unlimited, quota.unified)
    with call.app.store.api.write() as connection:
        if not server_mappings.count_again(connection, row["uuid"], demand):
            used = server_mappings.usage(connection, row["project_id"])
            limits = quota_limits.effective(call, connection, project, user)
            raise OverLimit.of(wanted, used, limits)
    try:
        finding.acceptor(call).accept(call.context, cell, row, "restore")
    except Exception:
        with call.app.store.api.write() as connection:
            server_mappings.release(connection, row["uuid"])
        raise


def force_delete(call: Call) -> None:
    """For good, now."""
    cell, row = finding.find(call, _RULE + "force")
    finding.unlocked(call, row)
    if row["task_state"] != "deleting":
        finding.acceptor(call).accept(call.context, cell, row, "delete")


_PATH = "/servers/{server_id}/action"
ENDPOINTS = (
    Endpoint(
        method="POST",
        path=_PATH,
        action="restore",
        handler=restore,
        body=fields.ignored("restore"),
        status=202,
        summary="Restore a deleted server",
    ),
    Endpoint(
        method="POST",
        path=_PATH,
        action="forceDelete",
        handler=force_delete,
        body=fields.ignored("forceDelete"),
        status=202,
        summary="Delete a server for good",
    ),
)
