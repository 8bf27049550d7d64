"""The version documents, readable without a token, and what the service can do beyond images: nothing."""

from typing import Any

from kilonova.kit.http.endpoint import Call, Endpoint

NOTICE = "Kilonova lab image service: speaks Glance's v2 API for one machine. Not for production."
_MINORS = (9, 7, 6, 5, 4, 3, 2, 1, 0)


def _versions(call: Call) -> dict[str, Any]:
    links = [{"rel": "self", "href": f"{call.base_url}/v2/"}]
    found = [{"id": f"v2.{minor}", "status": "SUPPORTED", "links": links, "description": NOTICE} for minor in _MINORS]
    found[0]["status"] = "CURRENT"
    return {"versions": found}


def _import(_call: Call) -> dict[str, Any]:
    return {"import-methods": {"description": "Import methods available.", "type": "array", "value": []}}


def _stores(_call: Call) -> dict[str, Any]:
    return {"stores": [{"id": "file", "default": "true", "description": "A directory of this machine"}]}


ENDPOINTS = [
    Endpoint(method="GET", path="/", public=True, status=300, handler=_versions),
    Endpoint(method="GET", path="/versions", public=True, handler=_versions),
    Endpoint(method="GET", path="/v2", public=True, handler=_versions),
    Endpoint(method="GET", path="/v2/info/import", handler=_import),
    Endpoint(method="GET", path="/v2/info/stores", handler=_stores),
]
