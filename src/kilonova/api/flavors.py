"""Flavors: lists and views."""

from typing import Any

from kilonova.api import fields, links
from kilonova.api.microversions import STRICT_ALL, STRICT_QUERY
from kilonova.kit.codec import Fragment
from kilonova.kit.db.rows import Row
from kilonova.kit.errors import Invalid
from kilonova.kit.http import paging
from kilonova.kit.http.document import Document, Out
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.store import flavors as store

ADMIN = "context_is_admin"
SPECS_RULE = "os_compute_api:os-flavor-extra-specs:index"
_BRIEF = (
    Out("id", "flavor_id"),
    Out("name"),
    Out("description", since=(2, 55)),
    Out("links", lambda row, links_of: links_of(row["flavor_id"])),
)
BRIEF = Document(_BRIEF)
FULL = Document(
    (
        *_BRIEF,
        Out("ram", "memory_mb"),
        Out("disk", "root_gb"),
        Out("vcpus"),
        Out("swap", lambda row, _links: row["swap_mb"] or "", until=(2, 74)),
        Out("swap", "swap_mb", since=(2, 75)),
        Out("OS-FLV-EXT-DATA:ephemeral", "ephemeral_gb"),
        Out("os-flavor-access:is_public", "is_public"),
        Out("OS-FLV-DISABLED:disabled", "disabled", until=(2, 101)),
        Out("rxtx_factor", until=(2, 101)),
        Out("extra_specs", lambda row, _links: Fragment(row["extra_specs"]), since=(2, 61), group="specs"),
    )
)
_NOT_FROM_102 = ("disabled", "rxtx_factor")
_LIST_QUERY = fields.query(
    "limit",
    "marker",
    "sort_key",
    "sort_dir",
    "is_public",
    "minRam",
    "minDisk",
    fields.key("name", since=(2, 102)),
)


def sees_all(call: Call) -> bool:
    """May the caller see private flavors of others?"""
    return call.allow(ADMIN, {})


def find(call: Call) -> Row:
    """The flavor of the path, as far as the caller may see it. Raises FlavorNotFound."""
    with call.app.store.api.read() as connection:
        return store.find(
            connection, call.params["flavor_id"], project_id=call.context.project_id, see_all=sees_all(call)
        )


def view(call: Call, found: Row) -> dict[str, Any]:
    """The full document of one flavor."""
    return FULL.compile(call.version, _groups(call))(found, links.linker(call, "flavors"))


def _groups(call: Call) -> frozenset[str]:
    target = {"project_id": call.context.project_id}
    return frozenset({"specs"}) if call.at_least(61) and call.allow(SPECS_RULE, target) else frozenset()


def _public(call: Call) -> bool | None:
    text = call.one("is_public")
    if not sees_all(call) or text is None:
        return True
    if text.lower() == "none":
        return None
    try:
        return _WORDS[text.lower()]
    except KeyError:
        raise Invalid(f"Invalid is_public filter [{text}]") from None


_WORDS = {
    **dict.fromkeys(("1", "t", "true", "on", "y", "yes"), True),
    **dict.fromkeys(("0", "f", "false", "off", "n", "no"), False),
}


def _at_least(call: Call, name: str) -> int | None:
    text = call.one(name)
    if text is None:
        return None
    try:
        return max(-1, min(int(text), fields.LARGEST))
    except ValueError:
        raise Invalid(f"Invalid {name} filter [{text}]") from None


def _wanted(call: Call) -> store.FlavorQuery:
    keys = [k for k in store.SORT_KEYS if not call.at_least(102) or k not in _NOT_FROM_102]
    sort = paging.sort_of(call, keys, (("flavorid", "asc"),))
    if "sort_dir" not in call.query:
        sort = [(key, "asc") for key, _direction in sort]
    return store.FlavorQuery(
        limit=paging.limit_of(call, call.app.api.max_limit),
        marker=paging.marker_of(call),
        project_id=call.context.project_id,
        public=_public(call),
        disabled=None if sees_all(call) else False,
        min_ram=_at_least(call, "minRam"),
        min_disk=_at_least(call, "minDisk"),
        name=call.one("name"),
        sort=sort,
    )


def _list(call: Call, document: Document, groups: frozenset[str], collection: str) -> Any:
    wanted = _wanted(call)
    with call.app.store.api.read() as connection:
        found = store.page(connection, wanted)
    shape, links_of = document.compile(call.version, groups), links.linker(call, "flavors")
    body: dict[str, Any] = {"flavors": [shape(row, links_of) for row in found]}
    if found and len(found) == wanted.limit and call.one("limit") is not None:
        body["flavors_links"] = links.page_link(call, collection, found[-1]["flavor_id"])
    return body


def index(call: Call) -> Any:
    """Ids and names."""
    return _list(call, BRIEF, frozenset(), "flavors")


def detail(call: Call) -> Any:
    """Everything."""
    return _list(call, FULL, _groups(call), "flavors/detail")


def show(call: Call) -> Any:
    """One flavor. Raises FlavorNotFound."""
    return {"flavor": view(call, find(call))}


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/flavors",
        handler=index,
        query=_LIST_QUERY,
        strict_query=STRICT_QUERY,
        summary="List flavors",
    ),
    Endpoint(
        method="GET",
        path="/flavors/detail",
        handler=detail,
        query=_LIST_QUERY,
        strict_query=STRICT_QUERY,
        summary="List flavors with details",
    ),
    Endpoint(
        method="GET",
        path="/flavors/{flavor_id}",
        handler=show,
        query=fields.no_query(),
        strict_query=STRICT_ALL,
        summary="Show a flavor",
    ),
)
