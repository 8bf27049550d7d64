"""Availability zones: aggregates that say so, and the default for hosts in none of them."""

from collections.abc import Sequence
from typing import Any

from kilonova.api import fields
from kilonova.api.microversions import STRICT_ALL
from kilonova.api.servers.gathering import left_out
from kilonova.api.services import View, view_of
from kilonova.domain.service import COMPUTE
from kilonova.kit.db.rows import Row
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.store import services as store

_RULE = "os_compute_api:os-availability-zone:"
_PATH = "/os-availability-zone"


def _services(call: Call) -> list[Row]:
    answers = call.app.store.ask(store.page, call.app.store.cells)
    left_out(call, answers)
    return [row for rows in answers.values() for row in rows]


def _zones(view: View, rows: Sequence[Row], *, disabled: bool) -> list[str]:
    return sorted({view.zone(row) for row in rows if row["disabled"] == disabled})


def _entry(zone: str, *, available: bool, hosts: Any = None) -> dict[str, Any]:
    return {"zoneName": zone, "zoneState": {"available": available}, "hosts": hosts}


def index(call: Call) -> Any:
    """Zones of compute hosts; one without enabled services is not available."""
    view = view_of(call)
    rows = [row for row in _services(call) if row["binary"] == COMPUTE]
    good = _zones(view, rows, disabled=False)
    bad = [zone for zone in _zones(view, rows, disabled=True) if zone not in good]
    return {
        "availabilityZoneInfo": [*(_entry(z, available=True) for z in good), *(_entry(z, available=False) for z in bad)]
    }


def detail(call: Call) -> Any:
    """All zones with the enabled services of their hosts."""
    view, rows = view_of(call), _services(call)
    hosts: dict[str, dict[str, Any]] = {}
    for row in rows:
        if not row["disabled"]:
            state = {"active": True, "available": view.is_up(row), "updated_at": row["updated_at"]}
            hosts.setdefault(view.zone(row), {}).setdefault(row["host"], {})[row["binary"]] = state
    bad = [zone for zone in _zones(view, rows, disabled=True) if zone not in hosts]
    entries = [_entry(zone, available=True, hosts=hosts[zone]) for zone in sorted(hosts)]
    return {"availabilityZoneInfo": [*entries, *(_entry(zone, available=False) for zone in bad)]}


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=_PATH,
        handler=index,
        rule=_RULE + "list",
        query=fields.no_query(),
        strict_query=STRICT_ALL,
        summary="List availability zones",
    ),
    Endpoint(
        method="GET",
        path=_PATH + "/detail",
        handler=detail,
        rule=_RULE + "detail",
        query=fields.no_query(),
        strict_query=STRICT_ALL,
        summary="List availability zones with hosts",
    ),
)
