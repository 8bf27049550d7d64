"""Default quotas, kept as limits of a class; only the class ``default`` means anything."""

from collections.abc import Mapping
from typing import Any

from kilonova.api import fields, quota_limits
from kilonova.api.microversions import STRICT_ALL
from kilonova.api.quota_sets import FILES_UNTIL, LIMIT, wanted_limits
from kilonova.domain.quota import NETWORK, RESOURCES
from kilonova.kit.http.document import Document, Out
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import Field
from kilonova.store import quotas

_SINCE = {"server_groups": (2, 50), "server_group_members": (2, 50)}
"""Shown from then on; they may be set at any version."""
_UNTIL = {
    **dict.fromkeys(NETWORK, (2, 49)),
    **dict.fromkeys(("injected_files", "injected_file_content_bytes", "injected_file_path_bytes"), FILES_UNTIL),
}
SET = Document(Out(name, since=_SINCE.get(name, (0, 0)), until=_UNTIL.get(name)) for name in RESOURCES)
UPDATE = fields.wrapped(
    "quota_class_set",
    *(Field(name=name, schema=LIMIT, until=_UNTIL.get(name)) for name in RESOURCES),
    rules={"minProperties": 1},
)
_PATH = "/os-quota-class-sets/{id}"


def _view(call: Call, limits: Mapping[str, int]) -> dict[str, Any]:
    return SET.compile(call.version)(limits, None)


def _limits(call: Call, connection: Any) -> dict[str, int]:
    options = quota_limits.options(call)
    if not quota_limits.settable(call):
        return options.limits()
    return quotas.class_limits(connection, options.limits(), call.params["id"])


def show(call: Call) -> Any:
    """The limits of a class."""
    with call.app.store.api.read() as connection:
        limits = _limits(call, connection)
    return {"quota_class_set": {"id": call.params["id"], **_view(call, limits)}}


def update(call: Call) -> Any:
    """Set limits of a class. Raises Invalid."""
    wanted = wanted_limits(call.body["quota_class_set"])

    def work(connection: Any) -> dict[str, int]:
        if quota_limits.settable(call):
            quotas.set_class_limits(connection, call.params["id"], wanted)
        return _limits(call, connection)

    return {"quota_class_set": _view(call, call.app.store.api.transact(work))}


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=_PATH,
        handler=show,
        rule="os_compute_api:os-quota-class-sets:show",
        query=fields.no_query(),
        strict_query=STRICT_ALL,
        summary="Show default quotas",
    ),
    Endpoint(
        method="PUT",
        path=_PATH,
        handler=update,
        rule="os_compute_api:os-quota-class-sets:update",
        body=UPDATE,
        summary="Change default quotas",
    ),
)
