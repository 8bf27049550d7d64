"""``GET /servers`` and ``/servers/detail``."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from kilonova.api import fields, links
from kilonova.api.microversions import STRICT_QUERY
from kilonova.api.servers import gathering, rendering, views
from kilonova.api.servers.gathering import Gathered
from kilonova.domain.server import states_of
from kilonova.kit.clock import stamp
from kilonova.kit.errors import Forbidden, Invalid
from kilonova.kit.http import paging
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.store import hosts as host_rows
from kilonova.store import server_lists, servers
from kilonova.store.server_lists import SORT_KEYS, ServerQuery
from kilonova.store.servers import BRIEF as _BRIEF
from kilonova.store.servers import LIGHT, NARROW

_ALL_FILTERS_RULE = "os_compute_api:servers:allow_all_filters"
_PAGING = frozenset({"limit", "marker", "sort_key", "sort_dir", "all_tenants"})
_FOR_ALL = frozenset({"name", "status", "image", "flavor", "ip", "changes-since", "reservation_id", "metadata", "uuid"})
_NEWER_FOR_ALL = {
    "ip6": 5,
    "tags": 26,
    "tags-any": 26,
    "not-tags": 26,
    "not-tags-any": 26,
    "changes-before": 66,
    "locked": 73,
    "availability_zone": 83,
    "config_drive": 83,
    "key_name": 83,
    "created_at": 83,
    "launched_at": 83,
    "terminated_at": 83,
    "power_state": 83,
    "task_state": 83,
    "vm_state": 83,
    "progress": 83,
    "user_id": 83,
}
_SINCE = {"tags": 26, "tags-any": 26, "not-tags": 26, "not-tags-any": 26, "changes-before": 66, "locked": 73}
_KNOWN = sorted(
    (server_lists.FILTERS - set(_SINCE) - {"vm_states"})
    | _PAGING
    | {"deleted", "instance_uuid", "project_id", "soft_deleted", "kernel_id", "ramdisk_id", "auto_disk_config"}
)
QUERY = fields.query(*_KNOWN, *(fields.key(name, since=(2, minor)) for name, minor in _SINCE.items()))
_HIDDEN_SORT = frozenset({"host", "node"})
_UNSORTED = frozenset(
    {
        "architecture",
        "cell_name",
        "cleaned",
        "default_ephemeral_device",
        "default_swap_device",
        "deleted",
        "deleted_at",
        "disable_terminate",
        "ephemeral_gb",
        "ephemeral_key_uuid",
        "id",
        "key_data",
        "launched_on",
        "memory_mb",
        "os_type",
        "reservation_id",
        "root_gb",
        "shutdown_terminate",
        "user_data",
        "vcpus",
        "vm_mode",
    }
)
"""Sort keys that are accepted and have never had an effect."""


def index(call: Call) -> Any:
    """Ids, names and links."""
    call.demand("os_compute_api:servers:index", _own(call))
    found = _gathered(call, "os_compute_api:servers:index:get_all_tenants", _BRIEF)
    shape, view = views.BRIEF.compile(call.version), views.view_of(call, _own(call))
    documents = [shape(row, view) for row in found.rows]
    return _reply(call, [*documents, *gathering.brief(found, view)], "servers", found)


def detail(call: Call) -> Any:
    """Everything."""
    call.demand("os_compute_api:servers:detail", _own(call))
    found = _gathered(call, "os_compute_api:servers:detail:get_all_tenants", NARROW)
    groups = views.groups_of(call, _own(call))
    statuses = host_statuses(call, found.rows) if "host_status" in groups else {}
    view = views.view_of(call, _own(call), host_status=statuses)
    made = rendering.Rendering(call, views.DETAIL, view, groups)
    columns = (*LIGHT, servers.HEAVY_USER_DATA) if "attributes" in groups and call.at_least(3) else LIGHT
    documents: list[Any] = list(made.documents(found.rows, lambda missing: _wide(call, missing, columns)))
    return _reply(call, [*documents, *gathering.detailed(found, view)], "servers/detail", found)


def _own(call: Call) -> dict[str, Any]:
    return {"project_id": call.context.project_id, "user_id": call.context.user_id}


def _reply(call: Call, documents: list[Any], path: str, found: Gathered) -> dict[str, Any]:
    body: dict[str, Any] = {"servers": documents}
    if found.more:
        body["servers_links"] = links.page_link(call, path, found.rows[-1]["uuid"])
    return body


def _wide(call: Call, uuids: Sequence[str], columns: tuple[Any, ...]) -> list[Any]:
    """The rows of servers whose documents are not at hand; one statement a cell."""
    answers = call.app.store.ask(lambda connection: servers.get_many(connection, uuids, columns))
    return [row for found in answers.values() for row in found]


def _gathered(call: Call, all_rule: str, columns: tuple[Any, ...]) -> Gathered:
    everywhere = _all_projects(call, all_rule)
    limit = paging.limit_of(call, call.app.api.max_limit)
    filters, deleted = _filters(call)
    if filters is None:
        return Gathered(())
    project = None if everywhere else call.context.project_id
    if project is not None:
        for name in ("project_id", "tenant_id"):  # have never had an effect without all_tenants
            filters.pop(name, None)
    wanted = ServerQuery(
        limit=limit,
        project_id=project,
        filters=filters,
        sort=_sort(call),
        marker=paging.marker_of(call),
        deleted=deleted,
        columns=columns,
    )
    return gathering.gather(call, wanted)


def _all_projects(call: Call, rule: str) -> bool:
    text = call.one("all_tenants")
    if text is None:
        return False
    if text.strip().lower() not in ("", "0", "1", "t", "f", "true", "false", "yes", "no", "on", "off", "y", "n"):
        raise Invalid(f"Invalid input for query parameters all_tenants. Value: {text}. It must be a boolean")
    if text.strip() and not server_lists.boolean(text):
        return False
    call.demand(rule, _own(call))
    return True


def _sort(call: Call) -> list[tuple[str, str]]:
    pairs = paging.sort_of(call, [*SORT_KEYS, *_UNSORTED], (("created_at", "desc"),))
    hidden = sorted(_HIDDEN_SORT & {key for key, _direction in pairs})
    if hidden and not call.allow("context_is_admin", {}):
        raise Forbidden(f"Only administrators can sort servers by {', '.join(hidden)}")
    ignored = _UNSORTED if call.at_least(73) else _UNSORTED | {"locked"}
    return [(SORT_KEYS[key], direction) for key, direction in pairs if key not in ignored]


def _filters(call: Call) -> tuple[dict[str, Sequence[str]] | None, bool | None]:
    """Filters for the store and which deleted rows count; None: nothing can match."""
    everything = call.allow(_ALL_FILTERS_RULE, _own(call))
    asked = {name: list(values) for name, values in call.query.items() if name not in _PAGING and values}
    if not everything:
        asked = {name: values for name, values in asked.items() if _for_all(call, name)}
    deleted = _deleted(asked, everything=everything)
    found: dict[str, Sequence[str]] = {}
    for name, values in asked.items():
        if name in ("changes-since", "changes-before"):
            found[name] = [moment(name, values[-1])]
        elif name == "status":
            if not _known_statuses(call, values):
                return None, deleted
            found[name] = values
        elif name in server_lists.FILTERS:
            found[name] = values
    if "changes-since" in found and "deleted" not in call.query:
        deleted = None
    _check_period(found)
    return found, deleted


def _for_all(call: Call, name: str) -> bool:
    return name in _FOR_ALL or (name in _NEWER_FOR_ALL and call.at_least(_NEWER_FOR_ALL[name]))


def _deleted(asked: dict[str, list[str]], *, everything: bool) -> bool | None:
    """Only administrators get here with ``deleted``; a status of DELETED asks for deleted servers, too."""
    values = asked.pop("deleted", None)
    statuses = {value.lower() for value in asked.get("status", ())}
    if "deleted" in statuses or asked.get("vm_state") == ["deleted"]:
        if not everything:
            raise Forbidden("Only administrators may list deleted servers")
        return True
    return server_lists.boolean(values[-1]) if values else False


def _known_statuses(call: Call, values: Sequence[str]) -> bool:
    known = [value for value in values if states_of(value)]
    if len(known) != len(values) and call.at_least(38):
        bad = next(value for value in values if value not in known)
        raise Invalid(f"Invalid status value: {bad}")
    return bool(known)


def moment(name: str, text: str) -> str:
    """An ISO 8601 moment as rows have it. Raises Invalid.

    Documents show whole seconds: what happened in the one that ``changes-before`` names is before its end.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(
            f"Invalid input for query parameters {name}. Value: {text}. It must be an ISO 8601 date and time"
        ) from None
    offset = moment.utcoffset() or timedelta(0)
    if name == "changes-before" and not moment.microsecond:
        moment = moment.replace(microsecond=999_999)
    return stamp(moment.replace(tzinfo=None) - offset)


def _check_period(found: Mapping[str, Sequence[str]]) -> None:
    since, before = found.get("changes-since"), found.get("changes-before")
    if since and before and since[-1] > before[-1]:
        raise Invalid("The value of changes-since must be less than or equal to changes-before.")


def host_statuses(call: Call, rows: Sequence[Any]) -> dict[str, str]:
    """Host → UP, DOWN, MAINTENANCE, UNKNOWN, for the hosts of a page; one query."""
    names = {row["host"] for row in rows if row["host"]}
    if not names:
        return {}
    oldest = stamp(call.app.clock.now() - timedelta(seconds=call.app.compute.service_down_time))
    answers = call.app.store.ask(
        lambda connection: host_rows.compute_services(connection, names), call.app.store.working
    )
    found = {row["host"]: _host_status(row, oldest) for services in answers.values() for row in services}
    return _as_allowed(call, found)


def host_status_of(call: Call, row: Any) -> dict[str, str]:
    """The same for the one host of a row that was read with its service."""
    if not row["host"]:
        return {}
    oldest = stamp(call.app.clock.now() - timedelta(seconds=call.app.compute.service_down_time))
    service = {name: row[f"service_{name}"] for name in ("forced_down", "disabled", "last_seen")}
    return _as_allowed(call, {row["host"]: _host_status(service, oldest)})


def _as_allowed(call: Call, found: dict[str, str]) -> dict[str, str]:
    full = call.allow(views.HOST_STATUS_RULE, _own(call))
    return found if full else {host: "UNKNOWN" for host, status in found.items() if status == "UNKNOWN"}


def _host_status(service: Any, oldest: str) -> str:
    if service["forced_down"]:
        return "DOWN"
    if service["disabled"]:
        return "MAINTENANCE"
    return "UP" if (service["last_seen"] or "") >= oldest else "UNKNOWN"


ENDPOINTS = (
    Endpoint(
        method="GET", path="/servers", handler=index, query=QUERY, strict_query=STRICT_QUERY, summary="List servers"
    ),
    Endpoint(
        method="GET",
        path="/servers/detail",
        handler=detail,
        query=QUERY,
        strict_query=STRICT_QUERY,
        summary="List servers with details",
    ),
)
