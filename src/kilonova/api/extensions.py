"""The frozen list of extension aliases of the days before microversions; clients still ask for it."""

import functools
from importlib import resources
from typing import Any

from kilonova.api.fields import no_query
from kilonova.api.microversions import STRICT_ALL
from kilonova.kit import codec
from kilonova.kit.errors import NotFound
from kilonova.kit.http.endpoint import Call, Endpoint

_RULE = "os_compute_api:extensions"
_LEGACY_ONLY = frozenset({"OS-EXT-VIF-NET"})


class ExtensionNotFound(NotFound):
    """No such alias."""

    template = "There is no extension {alias}"


@functools.cache
def _table() -> dict[str, dict[str, Any]]:
    rows = codec.loads(resources.files("kilonova.api").joinpath("extensions.json").read_text())
    return {
        alias: {
            "alias": alias,
            "name": name,
            "description": description,
            "namespace": "http://docs.openstack.org/compute/ext/fake_xml",
            "updated": "2014-12-03T00:00:00Z",
            "links": [],
        }
        for alias, name, description in rows
    }


def _seen(call: Call) -> dict[str, dict[str, Any]]:
    return {a: e for a, e in _table().items() if call.legacy_v2 or a not in _LEGACY_ONLY}


def index(call: Call) -> Any:
    """All aliases."""
    return {"extensions": list(_seen(call).values())}


def show(call: Call) -> Any:
    """One alias. Raises ExtensionNotFound."""
    found = _seen(call).get(call.params["alias"])
    if found is None:
        raise ExtensionNotFound(alias=call.params["alias"])
    return {"extension": found}


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/extensions",
        handler=index,
        rule=_RULE,
        query=no_query(),
        strict_query=STRICT_ALL,
        summary="List extensions",
    ),
    Endpoint(
        method="GET",
        path="/extensions/{alias}",
        handler=show,
        rule=_RULE,
        query=no_query(),
        strict_query=STRICT_ALL,
        summary="Show an extension",
    ),
)
