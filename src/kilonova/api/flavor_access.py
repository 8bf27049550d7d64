"""Which projects may use a private flavor."""

from collections.abc import Callable
from typing import Any

from kilonova.api import fields, notices
from kilonova.api.microversions import STRICT_ALL
from kilonova.domain.flavor import FlavorIsPublic, NoAccessList
from kilonova.kit.db.rows import Row
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import Field
from kilonova.store import flavors as store

_TENANT = Field(name="tenant", schema={**fields.TEXT_255, "format": "name"}, required=True)


def _entries(flavor: Row, projects: list[str]) -> Any:
    return {"flavor_access": [{"flavor_id": flavor["flavor_id"], "tenant_id": project} for project in projects]}


def index(call: Call) -> Any:
    """The projects. Raises FlavorNotFound, NoAccessList."""
    with call.app.store.api.read() as connection:
        flavor = store.find(connection, call.params["flavor_id"], project_id=None, see_all=True)
        if flavor["is_public"]:
            raise NoAccessList
        return _entries(flavor, store.projects(connection, flavor["id"]))


def _change(call: Call, change: Callable[[Any, Row, str], None]) -> Any:
    def work(connection: Any) -> Any:
        flavor = store.find(connection, call.params["flavor_id"], project_id=None, see_all=True)
        change(connection, flavor, call.body["tenant"])
        return _entries(flavor, store.projects(connection, flavor["id"]))

    return call.app.store.api.transact(work)


def add(call: Call) -> Any:
    """Raises FlavorNotFound, FlavorAccessExists; FlavorIsPublic from 2.7."""

    def change(connection: Any, flavor: Row, project_id: str) -> None:
        if call.at_least(7) and flavor["is_public"]:
            raise FlavorIsPublic
        store.allow(connection, flavor, project_id)

    return _change(call, change)


def remove(call: Call) -> Any:
    """Raises FlavorNotFound, FlavorAccessNotFound."""
    return _change(call, store.disallow)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/flavors/{flavor_id}/os-flavor-access",
        handler=index,
        rule="os_compute_api:os-flavor-access",
        query=fields.no_query(),
        strict_query=STRICT_ALL,
        summary="List projects with access",
    ),
    Endpoint(
        method="POST",
        path="/flavors/{flavor_id}/action",
        action="addTenantAccess",
        handler=notices.telling(add, "flavor.update", notices.flavor, notices.ALONE),
        rule="os_compute_api:os-flavor-access:add_tenant_access",
        body=fields.wrapped("addTenantAccess", _TENANT),
        summary="Give a project access",
    ),
    Endpoint(
        method="POST",
        path="/flavors/{flavor_id}/action",
        action="removeTenantAccess",
        handler=notices.telling(remove, "flavor.update", notices.flavor, notices.ALONE),
        rule="os_compute_api:os-flavor-access:remove_tenant_access",
        body=fields.wrapped("removeTenantAccess", _TENANT),
        summary="Take access away",
    ),
)
