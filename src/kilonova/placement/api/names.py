"""``/resource_classes`` and ``/traits``."""

from typing import Any

from kilonova.kit.http.endpoint import Call, Endpoint, Reply
from kilonova.kit.http.schema import Field, Object, Schema
from kilonova.placement.api.replies import dated, href, location, only
from kilonova.placement.api.wiring import wired
from kilonova.placement.domain.errors import BadName, BadQuery, StandardName
from kilonova.placement.domain.names import CUSTOM_FORM, MAX_NAME, is_custom, is_custom_form
from kilonova.placement.domain.query import single
from kilonova.placement.store.memberships import newest
from kilonova.placement.store.names import rename_class, traits_matching

_CLASS = Schema(
    Object(
        (
            Field(
                name="name",
                schema={"type": "string", "minLength": 1, "maxLength": MAX_NAME, "pattern": CUSTOM_FORM},
                required=True,
            ),
        )
    )
)


def _class_document(call: Call, name: str) -> dict[str, Any]:
    return {"name": name, "links": [{"rel": "self", "href": href(call, f"/resource_classes/{name}")}]}


def _own(kind: str, name: str, verb: str) -> str:
    """A custom name as it is. Raises StandardName, BadName."""
    if not is_custom(name):
        raise StandardName(verb=verb, kind=kind, name=name)
    if not is_custom_form(name):
        raise BadName(kind=kind, name=name)
    return name


def classes(call: Call) -> Reply:
    """All resource classes."""
    found = wired(call).classes.matching()
    body = {"resource_classes": [_class_document(call, one.name) for one in found]}
    return dated(call, body, newest(found))


def create_class(call: Call) -> Reply:
    """A new custom class."""
    name = call.body["name"]
    wired(call).classes.create(name)
    return Reply(None, headers=location(call, f"/resource_classes/{name}"))


def show_class(call: Call) -> Reply:
    """One class."""
    found = wired(call).classes.get(call.params["name"])
    return dated(call, _class_document(call, found.name), found.updated_at)


def rename(call: Call) -> Reply:
    """Another name for a custom class (until 1.6)."""
    old, new = call.params["name"], call.body["name"]
    found = wired(call).classes.get(old)
    if not is_custom(found.name):
        raise StandardName(verb="update", kind="resource class", name=old)
    rename_class(wired(call).database, wired(call).clock, old, new)
    return dated(call, _class_document(call, new))


def ensure_class(call: Call) -> Reply:
    """Make sure that a custom class exists (from 1.7)."""
    name = call.params["name"]
    if not is_custom_form(name):
        raise BadName(kind="resource class", name=name)
    new = wired(call).classes.ensure(name)
    return Reply(None, status=201 if new else 204, headers=location(call, f"/resource_classes/{name}"))


def delete_class(call: Call) -> None:
    """Remove a custom class that nobody has."""
    found = wired(call).classes.get(call.params["name"])
    wired(call).classes.delete(_own("resource class", found.name, "delete"))


def traits(call: Call) -> Reply:
    """All traits, filtered by name or by being used."""
    only(call, ("name", "associated"))
    prefix, names = _name_filter(single(call.query, "name"))
    used = _associated(single(call.query, "associated"))
    found = wired(call).traits.matching(*traits_matching(prefix, names, used=used))
    return dated(call, {"traits": [one.name for one in found]}, newest(found))


def _name_filter(text: str | None) -> tuple[str | None, list[str] | None]:
    if text is None:
        return None, None
    form, colon, rest = text.partition(":")
    if colon and form == "startswith" and rest:
        return rest, None
    if colon and form == "in" and rest:
        return None, rest.split(",")
    raise BadQuery(field="name", reason=f"'{text}' is neither in:NAME,NAME nor startswith:PREFIX")


def _associated(text: str | None) -> bool | None:
    if text is None:
        return None
    if text.lower() not in ("true", "false"):
        raise BadQuery(field="associated", reason=f"'{text}' is neither 'true' nor 'false'")
    return text.lower() == "true"


def show_trait(call: Call) -> Reply:
    """Is the trait there?"""
    found = wired(call).traits.get(call.params["name"])
    return dated(call, None, found.updated_at)


def ensure_trait(call: Call) -> Reply:
    """Make sure that a custom trait exists."""
    name = call.params["name"]
    if not is_custom_form(name):
        raise BadName(kind="trait", name=name)
    new = wired(call).traits.ensure(name)
    return dated(call, None, status=201 if new else 204, headers=location(call, f"/traits/{name}"))


def delete_trait(call: Call) -> None:
    """Remove a custom trait that nobody has."""
    found = wired(call).traits.get(call.params["name"])
    wired(call).traits.delete(_own("trait", found.name, "delete"))


_C = "placement:resource_classes:"
_T = "placement:traits:"
ENDPOINTS = (
    Endpoint(method="GET", path="/resource_classes", handler=classes, since=(1, 2), rule=f"{_C}list"),
    Endpoint(
        method="POST",
        path="/resource_classes",
        handler=create_class,
        since=(1, 2),
        rule=f"{_C}create",
        body=_CLASS,
        status=201,
    ),
    Endpoint(method="GET", path="/resource_classes/{name}", handler=show_class, since=(1, 2), rule=f"{_C}show"),
    Endpoint(
        method="PUT",
        path="/resource_classes/{name}",
        handler=rename,
        since=(1, 2),
        until=(1, 6),
        rule=f"{_C}update",
        body=_CLASS,
    ),
    Endpoint(
        method="PUT",
        path="/resource_classes/{name}",
        handler=ensure_class,
        since=(1, 7),
        rule=f"{_C}update",
        status=204,
    ),
    Endpoint(
        method="DELETE",
        path="/resource_classes/{name}",
        handler=delete_class,
        since=(1, 2),
        rule=f"{_C}delete",
        status=204,
    ),
    Endpoint(method="GET", path="/traits", handler=traits, since=(1, 6), rule=f"{_T}list"),
    Endpoint(method="GET", path="/traits/{name}", handler=show_trait, since=(1, 6), rule=f"{_T}show", status=204),
    Endpoint(method="PUT", path="/traits/{name}", handler=ensure_trait, since=(1, 6), rule=f"{_T}update", status=204),
    Endpoint(
        method="DELETE", path="/traits/{name}", handler=delete_trait, since=(1, 6), rule=f"{_T}delete", status=204
    ),
)
