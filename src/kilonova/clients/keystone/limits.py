"""Unified limits: what Keystone lets projects use of this service (Identity API v3, limits)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

from kilonova.clients.keystone.neighbour import Neighbour
from kilonova.kit.clock import Clock
from kilonova.kit.options import BadConfiguration, opt
from kilonova.kit.recent import Recent

_KEPT_SECONDS = 10.0


@dataclass(frozen=True)
class UnifiedLimitsOptions:
    """``[oslo_limit]``, beside credentials of a user who may read all limits."""

    GROUP: ClassVar[str] = "oslo_limit"
    endpoint_id: str | None = opt(None, "id of this service's endpoint, whose service and region limits are for")


class Limits(Protocol):
    """Raises the Unavailable kinds of ``clients.keystone.errors``."""

    def of(self, project_id: str | None) -> Mapping[str, int]:
        """Resource (Keystone's name) → limit of a project; None: what holds without one of its own. -1 is none."""


class HttpLimits:
    """Implements ``Limits``; what Keystone says is kept for ten seconds."""

    def __init__(self, neighbour: Neighbour, options: UnifiedLimitsOptions, clock: Clock | None = None) -> None:
        if not options.endpoint_id:
            raise BadConfiguration(reason="[oslo_limit] endpoint_id is not set; unified limits need it")
        self._neighbour = neighbour
        self._endpoint_id = options.endpoint_id
        self._recent: Recent[Mapping[str, int]] = Recent(_KEPT_SECONDS, clock=clock)
        self._scope: tuple[tuple[str, str], ...] | None = None

    def of(self, project_id: str | None) -> Mapping[str, int]:
        return self._recent.get(project_id, lambda: self._ask(project_id))

    def _ask(self, project_id: str | None) -> Mapping[str, int]:
        if self._scope is None:
            endpoint = self._neighbour.get(f"/v3/endpoints/{self._endpoint_id}")["endpoint"]
            region = endpoint.get("region_id")
            scope = (("service_id", endpoint["service_id"]), *([("region_id", region)] if region else []))
            self._scope = tuple(scope)
        rows = self._neighbour.get("/v3/registered_limits", self._scope)["registered_limits"]
        found = {str(row["resource_name"]): int(row["default_limit"]) for row in rows}
        if project_id is not None:
            query = (*self._scope, ("project_id", project_id))
            own = self._neighbour.get("/v3/limits", query)["limits"]
            found.update({str(row["resource_name"]): int(row["resource_limit"]) for row in own})
        return found


class FakeLimits:
    """Implements ``Limits`` over a table: project (None: registered) → limits."""

    def __init__(self, table: Mapping[str | None, Mapping[str, int]]) -> None:
        self.table = {project: dict(limits) for project, limits in table.items()}

    def of(self, project_id: str | None) -> Mapping[str, int]:
        return {**self.table.get(None, {}), **self.table.get(project_id, {})}
