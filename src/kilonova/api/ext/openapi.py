"""``GET /ext/v1/openapi.json?microversion=2.N``: the Compute API at one version as OpenAPI 3.1, from its endpoints."""

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any

from kilonova.api import fields
from kilonova.api.microversions import VERSIONING
from kilonova.kit import codec
from kilonova.kit.http.endpoint import Call, Endpoint, Reply
from kilonova.kit.http.versions import Version
from kilonova.kit.http.versions import show as dotted

_PARAMETER = re.compile(r"\{([^}:]+)[^}]*\}")
_PATH = "/ext/v1/openapi.json"
_ERROR = {
    "description": "What is wrong, in words",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "additionalProperties": {
                    "type": "object",
                    "properties": {"code": {"type": "integer"}, "message": {"type": "string"}},
                    "required": ["code", "message"],
                },
            }
        }
    },
}


def endpoints(table: Callable[[], Sequence[Endpoint]]) -> tuple[Endpoint, ...]:
    """The endpoint that describes a table (which holds this endpoint too, so it is asked for later)."""

    @functools.lru_cache(maxsize=8)
    def described(version: Version, base_url: str) -> bytes:
        return codec.dumps(document(table(), version, base_url))

    def show(call: Call) -> Reply:
        return Reply(described(_version(call), call.base_url))

    query = fields.query(fields.key("microversion"))
    summary = "This description"
    return (Endpoint(method="GET", path=_PATH, handler=show, public=True, query=query, summary=summary),)


def _version(call: Call) -> Version:
    """The version asked for, the newest by default. Raises BadVersion, VersionNotOffered."""
    return VERSIONING.negotiate({"OPENSTACK-API-VERSION": f"compute {call.one('microversion', 'latest')}"})


def document(table: Sequence[Endpoint], version: Version, base_url: str) -> dict[str, Any]:
    """The whole description. ``base_url`` has the version's prefix (``…/v2.1``)."""
    paths: dict[str, dict[str, Any]] = {}
    for path, method, live in _grouped(table, version):
        entry = paths.setdefault(_PARAMETER.sub(r"{\1}", path), {})
        if path.startswith("/ext/"):
            entry["servers"] = [{"url": base_url.removesuffix("/v2.1")}]
        entry[method.lower()] = _operation(path, method, live, version)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Compute",
            "version": dotted(version),
            "description": f"Send the header OpenStack-API-Version: compute {dotted(version)}.",
        },
        "servers": [{"url": base_url}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}},
            "responses": {"error": _ERROR},
        },
    }


def _grouped(table: Sequence[Endpoint], version: Version) -> list[tuple[str, str, list[Endpoint]]]:
    """Path, method and the endpoints behind them: several where a body's key chooses the action."""
    found: dict[tuple[str, str], list[Endpoint]] = {}
    for endpoint in table:
        if endpoint.lives(version) and not endpoint.path.startswith("/."):
            found.setdefault((endpoint.path, endpoint.method), []).append(endpoint)
    return [(path, method, live) for (path, method), live in found.items()]


def _operation(path: str, method: str, live: Sequence[Endpoint], version: Version) -> dict[str, Any]:
    first = live[0]
    found: dict[str, Any] = {
        "operationId": re.sub(r"\W+", "_", f"{method.lower()}{path}").strip("_"),
        "summary": first.summary if len(live) == 1 else "One of several actions, by the body's only key",
        "responses": {
            **{str(s): {"description": "Done"} for s in sorted({e.status_at(version) for e in live})},
            "default": {"$ref": "#/components/responses/error"},
        },
    }
    parameters = [*_path_parameters(path), *_query_parameters(first, version)]
    if parameters:
        found["parameters"] = parameters
    bodies = [schema for e in live if (schema := _body(e, version)) is not None]
    if bodies:
        schema = bodies[0] if len(bodies) == 1 else {"oneOf": bodies}
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    if first.public:
        found["security"] = []
    return found


def _path_parameters(path: str) -> list[dict[str, Any]]:
    text = {"type": "string"}
    return [{"name": name, "in": "path", "required": True, "schema": text} for name in _PARAMETER.findall(path)]


def _query_parameters(endpoint: Endpoint, version: Version) -> list[dict[str, Any]]:
    if endpoint.query is None:
        return []
    known = endpoint.query.json_schema(version).get("properties", {})
    return [{"name": name, "in": "query", "schema": schema} for name, schema in known.items()]


def _body(endpoint: Endpoint, version: Version) -> dict[str, Any] | None:
    found: dict[str, Any] | None = None
    if endpoint.body is not None:
        found = endpoint.body.json_schema(version)
    elif endpoint.action is not None:
        found = {"type": "object", "properties": {endpoint.action: {}}, "required": [endpoint.action]}
    if found is not None and endpoint.action is not None and endpoint.summary:
        found = {"title": endpoint.summary, **found}
    return found
