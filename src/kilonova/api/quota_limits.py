"""Which limits hold for whom, for every endpoint that shows or enforces them."""

from typing import Any

from kilonova.domain.quota import QuotaOptions
from kilonova.kit.http.endpoint import Call
from kilonova.store import quotas, server_groups, server_mappings


def options(call: Call) -> QuotaOptions:
    """``[quota]``."""
    found: QuotaOptions = call.app.quota or QuotaOptions()
    return found


def effective(call: Call, connection: Any, project_id: str, user_id: str | None = None) -> dict[str, int]:
    """Every resource's limit for a project, or for a user in it."""
    wanted = options(call)
    return wanted.limits() if wanted.unlimited else quotas.limits(connection, project_id, wanted.limits(), user_id)


def defaults(call: Call, connection: Any) -> dict[str, int]:
    """What holds for projects without limits of their own."""
    wanted = options(call)
    return wanted.limits() if wanted.unlimited else quotas.class_limits(connection, wanted.limits())


def used(call: Call, connection: Any, project_id: str, user_id: str | None = None) -> dict[str, int]:
    """What a project, or a user in it, uses of each resource; what is not counted per project is 0."""
    wanted = options(call)
    if wanted.unlimited:
        return wanted.limits()
    counted = (
        server_mappings.usage(connection, project_id)
        if user_id is None
        else quotas.user_usage(connection, project_id, user_id)
    )
    groups = server_groups.count(connection, project_id, user_id)
    return {**dict.fromkeys(wanted.limits(), 0), **counted, "server_groups": groups}
