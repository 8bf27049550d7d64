"""Which limits hold for whom, for every endpoint that shows or enforces them."""

from typing import Any

from kilonova.domain.quota import QuotaOptions
from kilonova.kit.http.endpoint import Call
from kilonova.store import quotas, server_groups, server_mappings


def options(call: Call, project_id: str | None = None) -> QuotaOptions:
    """``[quota]``; with unified limits, those of a project (None: what holds for projects without their own)."""
    found: QuotaOptions = call.app.quota or QuotaOptions()
    return found.with_unified(call.app.limits.of(project_id)) if found.unified else found


def ours(call: Call) -> QuotaOptions:
    """``options`` of the caller's project."""
    return options(call, str(call.context.project_id))


def of_caller(call: Call) -> dict[str, int]:
    """Every resource's limit for the caller: the user's in this project, else the project's."""
    with call.app.store.api.read() as connection:
        return effective(call, connection, str(call.context.project_id), call.context.user_id)


def settable(call: Call) -> bool:
    """Are limits kept in our database? Else setting them through us has no effect."""
    wanted: QuotaOptions = call.app.quota or QuotaOptions()
    return not (wanted.unlimited or wanted.unified)


def effective(call: Call, connection: Any, project_id: str, user_id: str | None = None) -> dict[str, int]:
    """Every resource's limit for a project, or for a user in it."""
    wanted = options(call, project_id)
    if not settable(call):
        return wanted.limits()
    return quotas.limits(connection, project_id, wanted.limits(), user_id)


def defaults(call: Call, connection: Any) -> dict[str, int]:
    """What holds for projects without limits of their own."""
    wanted = options(call)
    return quotas.class_limits(connection, wanted.limits()) if settable(call) else wanted.limits()


def used(call: Call, connection: Any, project_id: str, user_id: str | None = None) -> dict[str, int]:
    """What a project, or a user in it, uses of each resource; what is not counted per project is 0."""
    wanted: QuotaOptions = call.app.quota or QuotaOptions()
    if wanted.unlimited:
        return wanted.limits()
    counted = (
        server_mappings.usage(connection, project_id)
        if user_id is None
        else quotas.user_usage(connection, project_id, user_id)
    )
    groups = server_groups.count(connection, project_id, user_id)
    return {**dict.fromkeys(wanted.limits(), 0), **counted, "server_groups": groups}
