"""Quotas of projects and of users in them."""

from collections.abc import Mapping
from typing import Any

from kilonova.api import fields, quota_limits
from kilonova.api.microversions import STRICT_QUERY
from kilonova.domain.quota import NETWORK, RESOURCES, UNLIMITED
from kilonova.kit.errors import Invalid
from kilonova.kit.http.document import Document, Out
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import Field
from kilonova.store import quotas

NETWORK_UNTIL = (2, 35)
_FILES = ("injected_files", "injected_file_content_bytes", "injected_file_path_bytes")
FILES_UNTIL = (2, 56)
LIMIT = fields.integer(UNLIMITED)


def _until(name: str) -> Any:
    if name in NETWORK:
        return NETWORK_UNTIL
    return FILES_UNTIL if name in _FILES else None


SET = Document(Out(name, until=_until(name)) for name in RESOURCES)
UPDATE = fields.wrapped(
    "quota_set",
    *(Field(name=name, schema=LIMIT, until=_until(name)) for name in RESOURCES),
    Field(name="force", schema=fields.BOOLEAN),
    Field(name="tenant_id", schema={"type": "string", "minLength": 1, "maxLength": 255}, until=(2, 35)),
)
_RULE = "os_compute_api:os-quota-sets:"
_PATH = "/os-quota-sets/{tenant_id}"
_QUERY = fields.query("user_id")


def view(call: Call, values: Mapping[str, Any]) -> dict[str, Any]:
    """The set at the call's version."""
    return SET.compile(call.version)(values, None)


def _project(call: Call, action: str) -> str:
    project_id = call.params["tenant_id"]
    call.demand(_RULE + action, {"project_id": project_id})
    return project_id


def show(call: Call) -> Any:
    """Limits that hold."""
    project_id = _project(call, "show")
    with call.app.store.api.read() as connection:
        limits = quota_limits.effective(call, connection, project_id, call.one("user_id"))
    return {"quota_set": {"id": project_id, **view(call, limits)}}


def detail(call: Call) -> Any:
    """Limits that hold, and what is used."""
    project_id, user_id = _project(call, "detail"), call.one("user_id")
    with call.app.store.api.read() as connection:
        limits = quota_limits.effective(call, connection, project_id, user_id)
        used = quota_limits.used(call, connection, project_id, user_id)
    reserved = UNLIMITED if quota_limits.options(call, project_id).unlimited else 0
    values = {n: {"limit": limits[n], "in_use": used[n], "reserved": reserved} for n in limits}
    return {"quota_set": {"id": project_id, **view(call, values)}}


def defaults(call: Call) -> Any:
    """Limits of projects without their own."""
    project_id = _project(call, "defaults")
    with call.app.store.api.read() as connection:
        limits = quota_limits.defaults(call, connection)
    return {"quota_set": {"id": project_id, **view(call, limits)}}


def wanted_limits(given: Mapping[str, Any]) -> dict[str, int]:
    """The limits a body sets, as numbers. Raises Invalid."""
    return {name: fields.whole(name, given[name], UNLIMITED) for name in RESOURCES if name in given}


def update(call: Call) -> Any:
    """Set limits; below what is used only with ``force``. Raises Invalid."""
    project_id, user_id = _project(call, "update"), call.one("user_id")
    given = call.body["quota_set"]
    wanted = wanted_limits(given)
    if not given:
        raise Invalid("Invalid input for field/attribute quota_set. Value: {}. It must set at least one limit")

    def work(connection: Any) -> dict[str, int]:
        if quota_limits.settable(call):
            if not fields.truth(given.get("force", False)):
                _check_settable(call, connection, wanted, project_id, user_id)
            quotas.set_limits(connection, project_id, wanted, user_id)
        return quota_limits.effective(call, connection, project_id, user_id)

    return {"quota_set": view(call, call.app.store.api.transact(work))}


def _check_settable(
    call: Call, connection: Any, wanted: Mapping[str, int], project_id: str, user_id: str | None
) -> None:
    used = quota_limits.used(call, connection, project_id, user_id)
    most = quota_limits.effective(call, connection, project_id) if user_id is not None else {}
    for name, limit in wanted.items():
        if limit != UNLIMITED and limit < used[name]:
            raise Invalid(
                f"Quota limit {limit} for {name} must be greater than or equal to already used and reserved "
                f"{used[name]}."
            )
        roof = most.get(name, UNLIMITED)
        if roof != UNLIMITED and (limit == UNLIMITED or limit > roof):
            raise Invalid(f"Quota limit {limit} for {name} must be less than or equal to {roof}.")


def delete(call: Call) -> None:
    """Back to the defaults: a user's, or a project's and all its users'."""
    project_id, user_id = _project(call, "delete"), call.one("user_id")
    call.app.store.api.transact(lambda connection: quotas.delete_limits(connection, project_id, user_id))


def _endpoint(method: str, path: str, handler: Any, summary: str, **more: Any) -> Endpoint:
    return Endpoint(
        method=method,
        path=path,
        handler=handler,
        query=_QUERY,
        strict_query=STRICT_QUERY,
        summary=summary,
        **more,
    )


ENDPOINTS = (
    _endpoint("GET", _PATH, show, "Show a quota"),
    _endpoint("PUT", _PATH, update, "Change a quota", body=UPDATE),
    _endpoint("DELETE", _PATH, delete, "Revert a quota to defaults", status=202),
    _endpoint("GET", _PATH + "/detail", detail, "Show a quota with its usage"),
    Endpoint(method="GET", path=_PATH + "/defaults", handler=defaults, summary="Show default quotas"),
)
