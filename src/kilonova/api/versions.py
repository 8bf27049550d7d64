"""Version documents, and the choices that unversioned paths get."""

from typing import Any

from kilonova.api import links, microversions
from kilonova.kit.errors import NotFound
from kilonova.kit.http.endpoint import Call, Endpoint, Reply
from kilonova.kit.http.versions import show

_DOCS = {"rel": "describedby", "type": "text/html", "href": "http://docs.openstack.org/"}
_FACTS: dict[str, dict[str, str]] = {
    "v2.0": {
        "path": "v2",
        "status": "DEPRECATED",
        "version": "",
        "min_version": "",
        "updated": "2025-07-04T12:00:00Z",
        "media": "2",
    },
    "v2.1": {
        "path": "v2.1",
        "status": "CURRENT",
        "version": show(microversions.MAXIMUM),
        "min_version": show(microversions.MINIMUM),
        "updated": "2013-07-23T11:33:21Z",
        "media": "2.1",
    },
}


class VersionNotFound(NotFound):
    """There is no version with this id."""

    template = "There is no API version {id}"


def _entry(ident: str, href: str) -> dict[str, Any]:
    facts = _FACTS[ident]
    return {
        "id": ident,
        "links": [{"rel": "self", "href": href}],
        "status": facts["status"],
        "version": facts["version"],
        "min_version": facts["min_version"],
        "updated": facts["updated"],
    }


def _media(ident: str) -> list[dict[str, str]]:
    kind = f"application/vnd.openstack.compute+json;version={_FACTS[ident]['media']}"
    return [{"base": "application/json", "type": kind}]


def index(call: Call) -> Any:
    """All versions."""
    root = links.root(call)
    return {"versions": [_entry(ident, f"{root}/{_FACTS[ident]['path']}/") for ident in _FACTS]}


def version(call: Call) -> Any:
    """One version. Raises VersionNotFound."""
    ident = call.params["id"]
    if ident not in _FACTS:
        raise VersionNotFound(id=ident)
    entry = _entry(ident, f"{links.root(call)}/{_FACTS[ident]['path']}/")
    entry["links"].append(dict(_DOCS))
    return {"version": {**entry, "media-types": _media(ident)}}


def choices(call: Call) -> Reply:
    """Where an unversioned path could have meant."""
    root = links.root(call)
    found = [
        {
            "id": ident,
            "status": _FACTS[ident]["status"],
            "links": [{"rel": "self", "href": f"{root}/{_FACTS[ident]['path']}/{call.params['path']}"}],
            "media-types": _media(ident),
        }
        for ident in _FACTS
    ]
    return Reply({"choices": found}, status=300)


ENDPOINTS = (
    Endpoint(method="GET", path="/.versions", handler=index, public=True, summary="List versions"),
    Endpoint(method="GET", path="/.version/{id}", handler=version, public=True, summary="Show a version"),
    Endpoint(method="GET", path="/versions/{id}", handler=version, summary="Show a version"),
    *(
        Endpoint(method=method, path="/.choices/{path:path}", handler=choices, public=True, summary="Choices")
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
    ),
)
