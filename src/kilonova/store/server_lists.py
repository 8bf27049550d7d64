"""Lists of servers: filters, sorting, keyset paging; one statement a page, and a cell."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from kilonova.domain.server import SOFT_DELETED, special_tasks, states_of
from kilonova.kit import codec
from kilonova.kit.db import keyset
from kilonova.kit.db.engine import is_bad_pattern
from kilonova.kit.db.rows import Row, rows
from kilonova.kit.db.types import holds, matching
from kilonova.kit.errors import Invalid
from kilonova.store.cell_tables import servers
from kilonova.store.servers import LIGHT

_C = servers.c
SORT_KEYS: Mapping[str, str] = {
    # API name → column
    "access_ip_v4": "access_ip_v4",
    "access_ip_v6": "access_ip_v6",
    "auto_disk_config": "disk_config",
    "availability_zone": "availability_zone",
    "config_drive": "config_drive",
    "created_at": "created_at",
    "display_description": "description",
    "display_name": "name",
    "host": "host",
    "hostname": "hostname",
    "image_ref": "image_ref",
    "instance_type_id": "flavor_id",
    "kernel_id": "image_ref",
    "key_name": "key_name",
    "launch_index": "launch_index",
    "launched_at": "launched_at",
    "locked": "locked_by",
    "locked_by": "locked_by",
    "node": "node",
    "power_state": "power_state",
    "progress": "progress",
    "project_id": "project_id",
    "ramdisk_id": "image_ref",
    "root_device_name": "root_device_name",
    "task_state": "task_state",
    "terminated_at": "terminated_at",
    "updated_at": "updated_at",
    "user_id": "user_id",
    "uuid": "uuid",
    "vm_state": "vm_state",
}
_EXACT = {
    "uuid": _C.uuid,
    "project_id": _C.project_id,
    "tenant_id": _C.project_id,
    "user_id": _C.user_id,
    "image": _C.image_ref,
    "image_ref": _C.image_ref,
    "flavor": _C.flavor_id,
    "host": _C.host,
    "node": _C.node,
    "hostname": _C.hostname,
    "key_name": _C.key_name,
    "availability_zone": _C.availability_zone,
    "reservation_id": _C.reservation_id,
    "vm_state": _C.vm_state,
    "task_state": _C.task_state,
    "root_device_name": _C.root_device_name,
    "created_at": _C.created_at,
    "launched_at": _C.launched_at,
    "terminated_at": _C.terminated_at,
}
_NUMBERS = {"power_state": _C.power_state, "progress": _C.progress, "launch_index": _C.launch_index}
_LARGEST = (1 << 31) - 1
"""No row has a larger number, and databases refuse to compare with one."""
_PATTERNS = {
    "name": _C.name,
    "display_name": _C.name,
    "description": _C.description,
    "display_description": _C.description,
    "access_ip_v4": _C.access_ip_v4,
    "access_ip_v6": _C.access_ip_v6,
}


_MARK = "sorted_by_"
_ADDRESSES = frozenset({"ip", "ip6"})
_SOFT_DELETED = frozenset({"vm_state", "status", "soft_deleted", "uuid"})
"""Filters with which soft-deleted servers are not left out unseen."""


@dataclass(frozen=True, kw_only=True)
class ServerQuery:
    """One page of a list."""

    limit: int
    project_id: str | None = None
    """None: every project."""
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    sort: Sequence[tuple[str, str]] = (("created_at", "desc"), ("uuid", "desc"))
    """(column, asc|desc); the row id is added to make the order total."""
    marker: str | None = None
    deleted: bool | None = False
    """False: living; True: deleted; None: both."""
    columns: tuple[Any, ...] = LIGHT


def idle_since(connection: Connection, vm_state: str, before: str, limit: int = 100) -> list[Row]:
    """The first of the servers that were soft-deleted, or shelved, before a moment and that nobody works on."""
    since = _C.deleted_at if vm_state == SOFT_DELETED else _C.shelved_at
    idle = (_C.vm_state == vm_state, _C.task_state.is_(None), _C.deleted == 0, since < before)
    return rows(connection, sa.select(servers).where(*idle).order_by(since).limit(limit))


class MarkerNotFound(Invalid):
    """The marker is no server of this list (400)."""

    template = "marker [{marker}] not found"


def page(connection: Connection, wanted: ServerQuery) -> list[Row]:
    """The rows of a page of the only cell. Raises MarkerNotFound, Invalid for a filter value that cannot be."""
    order: list[tuple[Any, str]] = [(_C[column], direction) for column, direction in wanted.sort]
    order.append((_C.id, wanted.sort[0][1] if wanted.sort else "desc"))
    after = None
    if wanted.marker is not None:
        after = _position(connection, wanted, order)
        if after is None:
            raise MarkerNotFound(marker=wanted.marker)
    return _page(connection, wanted, order, after, wanted.columns)


def position(connection: Connection, wanted: ServerQuery) -> list[Any] | None:
    """Where in a list over several cells the marker is, for ``part``; None when the cell does not have it."""
    return _position(connection, wanted, _order_over_cells(wanted))


def part(connection: Connection, wanted: ServerQuery, after: Sequence[Any] | None) -> list[Row]:
    """As many rows as the whole page may have, of one of several cells; ``merged`` puts them together."""
    order = _order_over_cells(wanted)
    marks = [value.label(f"{_MARK}{place}") for place, value in enumerate(keyset.values_of(order))]
    return _page(connection, wanted, order, after, (*wanted.columns, *marks))


def merged(parts: Sequence[Sequence[Row]], wanted: ServerQuery) -> list[Row]:
    """One page of several cells' parts, each in order. A server that is found twice is on its way from the first."""
    found: dict[str, Row] = {}
    for rows_of_cell in parts:
        for row in rows_of_cell:
            found[row["uuid"]] = row
    in_order = list(found.values())
    order = _order_over_cells(wanted)
    for place in range(len(order) - 1, -1, -1):  # stable sorts, the least important first: directions may differ
        in_order.sort(key=lambda row: row[f"{_MARK}{place}"], reverse=order[place][1] == "desc")
    return in_order[: wanted.limit]


def _order_over_cells(wanted: ServerQuery) -> list[tuple[Any, str]]:
    """Row ids of different cells say nothing: the UUID makes the order total."""
    order: list[tuple[Any, str]] = [(_C[column], direction) for column, direction in wanted.sort]
    return [*order, (_C.uuid, wanted.sort[0][1] if wanted.sort else "desc")]


def _page(  # one statement, with the words for filters that the database cannot read
    connection: Connection,
    wanted: ServerQuery,
    order: Sequence[tuple[Any, str]],
    after: Sequence[Any] | None,
    columns: Sequence[Any],
) -> list[Row]:
    query = sa.select(*columns).where(*_conditions(wanted))
    if after is not None:
        query = query.where(keyset.after(after, order))
    try:
        return rows(connection, keyset.ordered(query, order).limit(wanted.limit))
    except DBAPIError as error:
        given = [name for name in wanted.filters if name in _PATTERNS or name in _ADDRESSES]
        if given and is_bad_pattern(error):
            names = ", ".join(given)
            raise Invalid(f"Invalid input for query parameters {names}: not a regular expression here") from None
        raise


def _position(connection: Connection, wanted: ServerQuery, order: Sequence[tuple[Any, str]]) -> list[Any] | None:
    query = sa.select(*keyset.values_of(order)).where(_C.uuid == wanted.marker)
    if wanted.project_id is not None:
        query = query.where(_C.project_id == wanted.project_id)
    found = connection.execute(query).one_or_none()
    return None if found is None else list(found)


def _conditions(wanted: ServerQuery) -> list[Any]:
    found: list[Any] = []
    if wanted.deleted is not None:
        found.append(_C.deleted != 0 if wanted.deleted else _C.deleted == 0)
    if wanted.deleted is False and not _SOFT_DELETED & set(wanted.filters):
        found.append(_C.vm_state != SOFT_DELETED)
    if wanted.project_id is not None:
        found.append(_C.project_id == wanted.project_id)
    for name, values in wanted.filters.items():
        found.append(_condition(name, values))
    return found


def _condition(name: str, values: Sequence[str]) -> Any:
    if name in _EXACT:
        return _EXACT[name].in_(values)
    if name in _NUMBERS:
        numbers = [_whole(name, value) for value in values]
        return _NUMBERS[name].in_([number for number in numbers if abs(number) <= _LARGEST])
    if name in _PATTERNS:
        return sa.and_(*[matching(_PATTERNS[name], _pattern(name, value)) for value in values])
    if name in _ADDRESSES:
        return _addresses(name, values)
    special = _SPECIAL.get(name)
    if special is None:
        raise Invalid(f"Servers cannot be filtered by {name}")
    return special(values)


def _whole(name: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise Invalid(f"Invalid input for query parameters {name}. Value: {value}. It must be an integer") from None


def _pattern(name: str, value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise Invalid(f"Invalid input for query parameters {name}. Value: {value}. {error}") from None
    return value


def _addresses(name: str, values: Sequence[str]) -> Any:
    # Addresses stand in one text, space separated; anchors become borders of one address.
    texts = []
    for value in values:
        text = _pattern(name, value)
        text = "(^| )" + text[1:] if text.startswith("^") else text
        texts.append(text[:-1] + "( |$)" if text.endswith("$") else text)
    return sa.and_(*[matching(_C.ips, text) for text in texts])


def _statuses(values: Sequence[str]) -> Any:
    options: list[Any] = []
    for value in values:
        for vm_state, tasks in states_of(value):
            if tasks is not None:
                options.append(sa.and_(_C.vm_state == vm_state, _C.task_state.in_(tasks)))
                continue
            special = special_tasks(vm_state)
            plain = sa.or_(_C.task_state.is_(None), _C.task_state.not_in(special)) if special else sa.true()
            options.append(sa.and_(_C.vm_state == vm_state, plain))
    return sa.or_(*options) if options else sa.false()


def _flag(column: Any) -> Callable[[Sequence[str]], Any]:
    return lambda values: column == boolean(values[-1])


def boolean(value: str) -> bool:
    """The words for true that OpenStack query strings use."""
    return value.strip().lower() in ("1", "t", "true", "on", "y", "yes")


def _locked(values: Sequence[str]) -> Any:
    return _C.locked_by.is_not(None) if boolean(values[-1]) else _C.locked_by.is_(None)


def _tags(values: Sequence[str]) -> list[str]:
    return [tag for value in values for tag in value.split(",")]


def _all_tags(values: Sequence[str]) -> Any:
    return sa.and_(*[holds(_C.tags, codec.text(tag)) for tag in _tags(values)])


def _any_tag(values: Sequence[str]) -> Any:
    return sa.or_(*[holds(_C.tags, codec.text(tag)) for tag in _tags(values)])


def _metadata(values: Sequence[str]) -> Any:
    pairs: list[tuple[str, str]] = []
    for value in values:
        try:
            parsed = codec.loads(value)
        except ValueError:
            parsed = None
        entries = parsed if isinstance(parsed, list) else [parsed]
        for entry in entries:
            if not isinstance(entry, dict):
                raise Invalid(f"Invalid input for query parameters metadata. Value: {value}. It must be a JSON object")
            pairs.extend((str(k), str(v)) for k, v in entry.items())
    # A pair's text cannot occur inside a value: quotes there are escaped.
    return sa.and_(sa.true(), *[holds(_C.metadata, f"{codec.text(k)}:{codec.text(v)}") for k, v in pairs])


_SPECIAL: Mapping[str, Callable[[Sequence[str]], Any]] = {
    "status": _statuses,
    "config_drive": _flag(_C.config_drive),
    "locked": _locked,
    "tags": _all_tags,
    "tags-any": _any_tag,
    "not-tags": lambda values: sa.not_(_all_tags(values)),
    "not-tags-any": lambda values: sa.not_(_any_tag(values)),
    "metadata": _metadata,
    "changes-since": lambda values: _C.updated_at >= values[-1],
    "changes-before": lambda values: _C.updated_at <= values[-1],
    "vm_states": _C.vm_state.in_,
}
FILTERS = frozenset(_EXACT) | frozenset(_NUMBERS) | frozenset(_PATTERNS) | frozenset(_SPECIAL) | _ADDRESSES
"""Names that a query may filter by."""
