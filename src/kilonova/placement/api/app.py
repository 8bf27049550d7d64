"""The placement service as a WSGI application."""

from typing import Any

from kilonova.kit.auth import authenticator
from kilonova.kit.clock import Clock, SystemClock
from kilonova.kit.db.engine import Database
from kilonova.kit.http.app import Application, Authenticator, Service
from kilonova.kit.http.cors import Cors, CorsOptions
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.errors import placement_format
from kilonova.kit.http.versions import Versioning, show
from kilonova.kit.options import Configuration
from kilonova.kit.policy import Policy
from kilonova.placement.api import (
    allocation_candidates,
    allocations,
    explain,
    inventories,
    memberships,
    names,
    resource_providers,
    usages,
)
from kilonova.placement.api.options import (
    ApiOptions,
    PlacementDatabaseOptions,
    PlacementOptions,
    PolicyOptions,
)
from kilonova.placement.api.policy import RULES
from kilonova.placement.api.wiring import wire
from kilonova.placement.store.sync import SCHEMA, sync

VERSIONS = Versioning(service="placement", minimum=(1, 0), maximum=(1, 39))
DEFAULT_PORT = 8778


def _root(call: Call) -> dict[str, Any]:
    """What the service speaks."""
    del call
    version = {
        "id": "v1.0",
        "max_version": show(VERSIONS.maximum),
        "min_version": show(VERSIONS.minimum),
        "status": "CURRENT",
        "links": [{"rel": "self", "href": ""}],
    }
    return {"versions": [version]}


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(method="GET", path="/", handler=_root, public=True),
    *resource_providers.ENDPOINTS,
    *inventories.ENDPOINTS,
    *memberships.ENDPOINTS,
    *names.ENDPOINTS,
    *allocations.ENDPOINTS,
    *usages.ENDPOINTS,
    *allocation_candidates.ENDPOINTS,
    *explain.ENDPOINTS,
)


def build(
    database: Database,
    configuration: Configuration,
    auth: Authenticator | None = None,
    *,
    clock: Clock | None = None,
) -> Application:
    """The application over ``database``, whose schema is up to date (``store.sync.sync``); adds missing standard names.

    Without ``auth``, ``[api] auth_strategy`` decides who says who asks.
    """
    if configuration.section(PlacementDatabaseOptions).sync_on_startup:
        SCHEMA.upgrade(database)
    strategy = configuration.section(ApiOptions).auth_strategy
    policy_file = configuration.section(PolicyOptions).policy_file
    cors = configuration.section(CorsOptions)
    service = Service(
        name="placement",
        endpoints=ENDPOINTS,
        app=wire(database, clock or SystemClock(), configuration.section(PlacementOptions)),
        auth=auth or authenticator(configuration, strategy),
        policy=Policy(RULES, configuration, policy_file=policy_file),
        versioning=VERSIONS,
        error_format=placement_format,
        cors=Cors(cors) if cors.allowed_origin else None,
        subject="consumer_uuid",
        request_id_headers=("x-openstack-request-id",),
    )
    return Application(service)


__all__ = ["DEFAULT_PORT", "ENDPOINTS", "VERSIONS", "build", "sync"]
