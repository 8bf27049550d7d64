"""``/usages``: what a project uses."""

from collections.abc import Sequence
from typing import Any

from kilonova.kit.http.endpoint import Call, Endpoint, Reply
from kilonova.placement.api.replies import dated, only
from kilonova.placement.api.wiring import wired
from kilonova.placement.domain.errors import BadQuery, MissingQueryValue
from kilonova.placement.domain.names import is_name_form
from kilonova.placement.domain.query import single
from kilonova.placement.store.usages import Usage

_MAX = 255


def totals(call: Call) -> Reply:
    """Usage of a project, or of one user in it; by consumer type from 1.38."""
    grouped = call.at_least(38)
    only(call, ("project_id", "user_id", "consumer_type") if grouped else ("project_id", "user_id"))
    project, user = _owner(call, "project_id"), _owner(call, "user_id")
    if project is None:
        raise MissingQueryValue(field="project_id", reason="it is required.")
    call.demand("placement:usages", {"project_id": project})
    kind = single(call.query, "consumer_type")
    wanted = _type(kind)
    found = wired(call).usages.of_project(project, user, wanted, every=kind in (None, "all"))
    usages = _by_type(found, merge=kind == "all") if grouped else _plain(found)
    return dated(call, {"usages": usages})


def _owner(call: Call, field: str) -> str | None:
    text = single(call.query, field)
    if text is not None and not 1 <= len(text) <= _MAX:
        raise BadQuery(field=field, reason=f"it must have 1 to {_MAX} characters")
    return text


def _type(kind: str | None) -> str | None:
    if kind in (None, "all", "unknown"):
        return None
    if not is_name_form(kind):
        raise BadQuery(field="consumer_type", reason=f"'{kind}' is no consumer type")
    return kind


def _plain(found: Sequence[Usage]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for usage in found:
        sums[usage.name] = sums.get(usage.name, 0) + usage.used
    return sums


def _by_type(found: Sequence[Usage], *, merge: bool) -> dict[str, Any]:
    counts: dict[str, int] = {}
    groups: dict[str, dict[str, int]] = {}
    for usage in found:
        kind = usage.consumer_type or "unknown"
        counts[kind] = usage.consumers
        sums = groups.setdefault("all" if merge else kind, {})
        sums[usage.name] = sums.get(usage.name, 0) + usage.used
    for kind, sums in groups.items():
        sums["consumer_count"] = sum(counts.values()) if merge else counts[kind]
    return groups


ENDPOINTS = (Endpoint(method="GET", path="/usages", handler=totals, since=(1, 9)),)
