"""The Compute API as a WSGI application."""

import itertools
from types import ModuleType
from typing import cast

from kilonova.api import (
    aggregate_images,
    aggregates,
    assisted_snapshots,
    availability_zones,
    extensions,
    external_events,
    flavor_access,
    flavor_extra_specs,
    flavor_manage,
    flavors,
    hosts,
    hypervisors,
    keypairs,
    limits,
    migrations,
    quota_class_sets,
    quota_sets,
    removed,
    server_groups,
    services,
    tenant_usage,
    usage_audit,
    versions,
)
from kilonova.api.ext import dry_run, events, idempotency, openapi, why
from kilonova.api.microversions import VERSIONING
from kilonova.api.paths import Paths, admit
from kilonova.api.proxies import (
    baremetal_nodes,
    floating_ips,
    image_metadata,
    images,
    networks,
    volumes,
    volumes_boot,
)
from kilonova.api.proxies import security_groups as project_security_groups
from kilonova.api.servers import (
    actions,
    addresses,
    admin_actions,
    consoles,
    create,
    create_image,
    deferred_delete,
    diagnostics,
    instance_actions,
    interfaces,
    listing,
    metadata,
    moves,
    multinic,
    rebuild,
    rescue,
    security_groups,
    server_migrations,
    server_password,
    shares,
    shelve,
    show,
    tags,
    topology,
    volume_attachments,
)
from kilonova.api.wiring import Compute
from kilonova.kit.auth import NoAuth
from kilonova.kit.http.app import Application, Authenticator, PolicyCheck, Service
from kilonova.kit.http.cors import Cors, CorsOptions
from kilonova.kit.http.endpoint import Endpoint

MODULES: tuple[ModuleType, ...] = (
    versions,
    extensions,
    flavors,
    flavor_manage,
    flavor_access,
    flavor_extra_specs,
    keypairs,
    limits,
    quota_sets,
    quota_class_sets,
    availability_zones,
    services,
    hypervisors,
    aggregates,
    server_groups,
    removed,
    create,
    listing,
    show,
    actions,
    moves,
    server_migrations,
    migrations,
    create_image,
    rebuild,
    rescue,
    deferred_delete,
    admin_actions,
    shelve,
    diagnostics,
    topology,
    consoles,
    metadata,
    tags,
    addresses,
    instance_actions,
    security_groups,
    server_password,
    volume_attachments,
    shares,
    assisted_snapshots,
    interfaces,
    multinic,
    external_events,
    images,
    image_metadata,
    networks,
    floating_ips,
    project_security_groups,
    baremetal_nodes,
    volumes,
    aggregate_images,
    hosts,
    tenant_usage,
    usage_audit,
    events,
    why,
    dry_run,
)
"""Each has ENDPOINTS."""


def endpoints() -> list[Endpoint]:
    """The whole routing table."""
    table = list(itertools.chain.from_iterable(cast("tuple[Endpoint, ...]", module.ENDPOINTS) for module in MODULES))
    return [*table, *volumes_boot.aliases(table), *openapi.endpoints(endpoints)]


def build(compute: Compute, auth: Authenticator, policy: PolicyCheck, cors: CorsOptions | None = None) -> Application:
    """The application. With ``NoAuth`` project ids in paths may be any words."""
    table = endpoints()
    paths = Paths({e.path.split("/")[1] for e in table}, loose=isinstance(auth, NoAuth))
    return Application(
        Service(
            name="compute",
            endpoints=table,
            app=compute,
            auth=auth,
            policy=policy,
            versioning=VERSIONING,
            subject="server_id",
            request_id_headers=("X-OpenStack-Request-ID", "X-Compute-Request-ID"),
            wrong_method=404,
            rewrite=paths.rewrite,
            admit=admit,
            cors=Cors(cors) if cors is not None and cors.allowed_origin else None,
            around=idempotency.around,
        )
    )
