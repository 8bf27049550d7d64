"""The version documents, readable without a token."""

from typing import Any

from kilonova.kit.http.endpoint import Call, Endpoint, Reply

NOTICE = "Kilonova lab identity service: speaks Keystone's v3 API for one machine. Not for production."


def _version(call: Call) -> dict[str, Any]:
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "description": NOTICE,
        "links": [{"rel": "self", "href": f"{call.base_url}/v3/"}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    }


def _all(call: Call) -> Reply:
    return Reply({"versions": {"values": [_version(call)]}}, headers={"Location": f"{call.base_url}/v3/"})


ENDPOINTS = [
    Endpoint(method="GET", path="/", public=True, status=300, handler=_all),
    Endpoint(method="GET", path="/v3", public=True, handler=lambda call: {"version": _version(call)}),
]
