"""``/os-simple-tenant-usage``: what projects' servers used in a stretch of time."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import groupby
from typing import Any

from kilonova.api import fields, links
from kilonova.api.microversions import STRICT_QUERY
from kilonova.api.servers.gathering import left_out
from kilonova.kit import codec
from kilonova.kit.clock import stamp
from kilonova.kit.errors import Invalid
from kilonova.kit.http import paging
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.store import usage

_PATH = "os-simple-tenant-usage"
_RULE = "os_compute_api:os-simple-tenant-usage:"
_PAGED = 40
_SINCE = (2, _PAGED)
_FORMS = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%d %H:%M:%S.%f")
Row = Mapping[str, Any]


class MarkerNotFound(Invalid):
    """The page is to begin behind a server that never was."""

    template = "marker [{marker}] not found"


class Period:
    """The stretch of time asked for. Raises Invalid."""

    def __init__(self, call: Call) -> None:
        self.now: datetime = call.app.clock.now()
        self.start = self._moment(call, "start")
        self.end = self._moment(call, "end")
        if self.start >= self.end and (call.one("start") or call.one("end")):
            raise Invalid("Invalid start time. The start time cannot occur after the end time.")

    def _moment(self, call: Call, name: str) -> datetime:
        text = call.one(name)
        if not text:
            return self.now
        for form in _FORMS:
            try:
                return datetime.strptime(text, form)  # noqa: DTZ007  # naive UTC is the convention
            except ValueError:
                continue
        raise Invalid(f"Invalid input for query parameters {name}. Value: {text}. It must be a moment in ISO 8601")

    def rows(self, call: Call, project_id: str | None) -> tuple[list[Row], int | None]:
        """Servers in the period, by project, and the page's size where there are pages; one statement per cell."""
        limit, after = None, None
        if call.at_least(_PAGED):
            limit = paging.limit_of(call, call.app.api.max_limit)
            after = self._after(call)
        start, end = stamp(self.start), stamp(self.end)
        answers = call.app.store.ask(
            lambda connection: usage.page(connection, start, end, project_id=project_id, limit=limit, after=after)
        )
        left_out(call, answers)
        found = list({row["uuid"]: row for rows in answers.values() for row in rows}.values())
        found.sort(key=lambda row: (row["project_id"], row["uuid"]))
        return found[:limit], limit

    @staticmethod
    def _after(call: Call) -> tuple[str, str] | None:
        marker = call.one("marker")
        if marker is None:
            return None
        answers = call.app.store.ask(lambda connection: usage.project_of(connection, marker))
        for project in answers.values():
            if project is not None:
                return project, marker
        answers.whole()
        raise MarkerNotFound(marker=marker)

    def server(self, row: Row) -> dict[str, Any]:
        """One server's share."""
        launched = datetime.fromisoformat(row["launched_at"])
        ended = datetime.fromisoformat(row["terminated_at"]) if row["terminated_at"] else None
        seconds = (min(ended or self.end, self.end) - max(launched, self.start)).total_seconds()
        flavor = codec.loads(row["flavor"])
        return {
            "instance_id": row["uuid"],
            "name": row["name"],
            "hours": max(0.0, seconds) / 3600,
            "tenant_id": row["project_id"],
            "flavor": flavor["original_name"],
            "memory_mb": row["memory_mb"],
            "local_gb": flavor["disk"] + flavor["ephemeral"],
            "vcpus": row["vcpus"],
            "started_at": launched.isoformat(),
            "ended_at": ended.isoformat() if ended else None,
            "state": "terminated" if ended else row["vm_state"],
            "uptime": int(((ended or self.now) - launched).total_seconds()),
        }

    def project(self, project_id: str, rows: Iterable[Row], *, detailed: bool) -> dict[str, Any]:
        """A project's sums."""
        shares = [self.server(row) for row in rows]
        found: dict[str, Any] = {
            "tenant_id": project_id,
            "start": self.start.isoformat(),
            "stop": self.end.isoformat(),
            "total_hours": sum(s["hours"] for s in shares),
            "total_local_gb_usage": sum(s["hours"] * s["local_gb"] for s in shares),
            "total_memory_mb_usage": sum(s["hours"] * s["memory_mb"] for s in shares),
            "total_vcpus_usage": sum(s["hours"] * s["vcpus"] for s in shares),
        }
        return {**found, "server_usages": shares} if detailed else found


def index(call: Call) -> Any:
    """All projects that used something."""
    period, detailed = Period(call), call.one("detailed") == "1"
    rows, limit = period.rows(call, None)
    usages = [
        period.project(project, mine, detailed=detailed)
        for project, mine in groupby(rows, key=lambda row: str(row["project_id"]))
    ]
    return _linked(call, {"tenant_usages": usages}, rows, limit, _PATH)


def show(call: Call) -> Any:
    """One project, with its servers."""
    project_id = call.params["tenant_id"]
    call.demand(_RULE + "show", {"project_id": project_id})
    period = Period(call)
    rows, limit = period.rows(call, project_id)
    found = period.project(project_id, rows, detailed=True) if rows else {}
    return _linked(call, {"tenant_usage": found}, rows, limit, f"{_PATH}/{project_id}")


def _linked(call: Call, reply: dict[str, Any], rows: list[Row], limit: int | None, path: str) -> dict[str, Any]:
    if rows and limit is not None and len(rows) == limit:
        (key,) = reply
        reply[f"{key}_links"] = links.page_link(call, path, rows[-1]["uuid"])
    return reply


_QUERY = fields.query("start", "end", "detailed", fields.key("limit", since=_SINCE), fields.key("marker", since=_SINCE))
_ONE_QUERY = fields.query("start", "end", fields.key("limit", since=_SINCE), fields.key("marker", since=_SINCE))
ENDPOINTS = (
    Endpoint(
        method="GET",
        path=f"/{_PATH}",
        handler=index,
        rule=_RULE + "list",
        query=_QUERY,
        strict_query=STRICT_QUERY,
        summary="Usage of all projects",
    ),
    Endpoint(
        method="GET",
        path=f"/{_PATH}/{{tenant_id}}",
        handler=show,
        query=_ONE_QUERY,
        strict_query=STRICT_QUERY,
        summary="Usage of a project",
    ),
)
