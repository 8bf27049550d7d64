"""``nova-manage limits``: quotas of our database as unified limits of the identity service."""

import argparse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kilonova.cli.manage.deployment import Deployment, Group
from kilonova.cli.table import table
from kilonova.clients.keystone.neighbours import neighbour
from kilonova.domain.quota import UNIFIED, QuotaOptions
from kilonova.kit import codec, logs
from kilonova.kit.errors import KilonovaError
from kilonova.store import flavors, quotas

_NO_DATABASE = 2
_MISSING = 3
_ALWAYS = {"class:VCPU", "class:MEMORY_MB", "class:DISK_GB"}


def commands(group: Group) -> None:
    """Declare the subcommands."""
    add = group("limits", "limits of projects")
    copy = add("migrate_to_unified_limits", migrate_to_unified_limits, "copy quota limits to the identity service")
    copy.add_argument("--project-id", metavar="ID", help="this project's limits alone, not the defaults")
    copy.add_argument("--region-id", metavar="ID", help="make limits for this region (default: for all)")
    copy.add_argument("--verbose", action="store_true", help="tell what is in the way of a copy, too")
    copy.add_argument("--dry-run", action="store_true", help="tell what would be made, make nothing")
    copy.add_argument("--quiet", action="store_true", help="print nothing")
    copy.add_argument("--no-embedded-flavor-scan", action="store_true", help="do not look into flavors of servers")


@dataclass(frozen=True)
class _Identity:
    """Limits of the compute service in Keystone (Identity API v3, unified limits)."""

    ask: Any
    service: str
    region: str | None

    def registered(self) -> dict[str, int]:
        rows = self.ask.get("/v3/registered_limits", self._scope())["registered_limits"]
        return {row["resource_name"]: row["default_limit"] for row in rows if row.get("region_id") == self.region}

    def of_project(self, project: str) -> dict[str, int]:
        rows = self.ask.get("/v3/limits", (*self._scope(), ("project_id", project)))["limits"]
        return {row["resource_name"]: row["resource_limit"] for row in rows if row.get("region_id") == self.region}

    def _scope(self) -> tuple[tuple[str, str], ...]:
        return (("service_id", self.service), *([("region_id", self.region)] if self.region else []))

    def register(self, limits: Mapping[str, int]) -> None:
        owner = {"service_id": self.service, "region_id": self.region}
        rows = [{**owner, "resource_name": name, "default_limit": limit} for name, limit in limits.items()]
        self.ask.post("/v3/registered_limits", {"registered_limits": rows})

    def limit(self, project: str, limits: Mapping[str, int]) -> None:
        owner = {"service_id": self.service, "region_id": self.region, "project_id": project}
        rows = [{**owner, "resource_name": name, "resource_limit": limit} for name, limit in limits.items()]
        self.ask.post("/v3/limits", {"limits": rows})


def migrate_to_unified_limits(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """Defaults (of the default quota class, else [quota]) become registered limits, quotas of projects their limits.

    What the identity service has already stays as it is. Credentials: [oslo_limit], of one who may write limits.

    Exit codes: 0 done; 1 error; 2 no API database; 3 flavors ask for resource classes that have no registered limit:
    such servers could not be made with [quota] driver = nova.quota.UnifiedLimitsDriver.
    """
    options = deployment.configuration.section(QuotaOptions)
    try:
        with deployment.api.read() as api:
            defaults = quotas.class_limits(api, options.limits())
            wanted = quotas.of_projects(api)
            classes = _classes(flavors.every_extra_specs(api))
    except KilonovaError as error:
        print(f"The API database cannot be used: {logs.blotted(str(error))}")
        return _NO_DATABASE
    if not arguments.no_embedded_flavor_scan:
        classes |= _of_servers(deployment)
    identity = _identity(deployment, arguments.region_id)
    say: Callable[[str], None] = print if not arguments.quiet else lambda _line: None
    registered = identity.registered()
    fresh = {} if arguments.project_id else _fresh(defaults, registered)
    if fresh:
        say(table(("Resource", "Registered Limit"), [(name, str(limit)) for name, limit in sorted(fresh.items())]))
        if not arguments.dry_run:
            identity.register(fresh)
    known = {**registered, **fresh}
    for project, limits in sorted(wanted.items()):
        if arguments.project_id in (None, project):
            _copy(identity, project, {k: v for k, v in limits.items() if UNIFIED.get(k) in known}, arguments, say)
    missing = sorted(classes - set(known))
    if missing:
        say("Flavors ask for what has no registered limit: " + ", ".join(missing))
    return _MISSING if missing else 0


def _copy(
    identity: _Identity,
    project: str,
    limits: Mapping[str, int],
    arguments: argparse.Namespace,
    say: Callable[[str], None],
) -> None:
    present = identity.of_project(project)
    fresh = _fresh(limits, present)
    if arguments.verbose:
        for name in sorted(set(present) & {UNIFIED[name] for name in limits}):
            say(f"Project {project} has a limit of {name} already: {present[name]}")
    if fresh:
        rows = [(project, name, str(limit)) for name, limit in sorted(fresh.items())]
        say(table(("Project ID", "Resource", "Limit"), rows))
        if not arguments.dry_run:
            identity.limit(project, fresh)


def _fresh(limits: Mapping[str, int], present: Mapping[str, int]) -> dict[str, int]:
    """By Keystone's names, what it does not have."""
    return {ours: limits[name] for name, ours in UNIFIED.items() if name in limits and ours not in present}


def _identity(deployment: Deployment, region: str | None) -> _Identity:
    ask = neighbour(deployment.sessions, "oslo_limit")
    services = ask.get("/v3/services", (("type", "compute"),))["services"]
    if not services:
        raise KilonovaError("the identity service has no service of type compute")
    return _Identity(ask, services[0]["id"], region)


def _classes(specs: Iterable[Mapping[str, str]]) -> set[str]:
    """Resource classes that these extra specs ask for, beside those that every flavor does, by Keystone's names."""
    found = {
        f"class:{key.partition(':')[2]}"
        for one in specs
        for key, value in one.items()
        if key.startswith("resources") and ":" in key and value != "0"
    }
    return found - _ALWAYS


def _of_servers(deployment: Deployment) -> set[str]:
    found: set[str] = set()
    for cell in deployment.store.cells:
        with cell.database.read() as connection:
            texts = flavors.embedded(connection)
        found |= _classes(codec.loads(text).get("extra_specs", {}) for text in texts)
    return found
