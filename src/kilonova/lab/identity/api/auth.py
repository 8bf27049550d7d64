"""Tokens and what they open: ``/v3/auth/…``."""

from typing import Any

from kilonova.kit.errors import Invalid, NotFound
from kilonova.kit.http.endpoint import Call, Endpoint, Reply
from kilonova.kit.http.schema import Schema
from kilonova.lab.identity.api.domains import DOMAINS
from kilonova.lab.identity.api.projects import PROJECTS
from kilonova.lab.identity.rules import ANYONE, READ_OR_SELF
from kilonova.lab.identity.tokens import Described, catalog_of, token_document

_LOGIN = Schema(
    {
        "type": "object",
        "required": ["auth"],
        "properties": {
            "auth": {
                "type": "object",
                "required": ["identity"],
                "properties": {
                    "identity": {
                        "type": "object",
                        "required": ["methods"],
                        "properties": {"methods": {"type": "array", "minItems": 1, "items": {"type": "string"}}},
                    },
                    "scope": {"type": ["object", "string", "null"]},
                },
            }
        },
    }
)


class TokenNotFound(NotFound):
    """The subject token is unknown, expired or revoked."""

    template = "Could not find token."


def _document(call: Call, token: Described) -> dict[str, Any]:
    project = token.project["id"] if token.project else None
    wanted = token.scoped and "nocatalog" not in call.query
    catalog = catalog_of(call.app.store, project, token.user["id"]) if wanted else None
    return {"token": token_document(token, catalog)}


def _issue(call: Call) -> Reply:
    token, described = call.app.tokens.issue(call.app.desk.log_in(call.body["auth"]))
    return Reply(_document(call, described), headers={"X-Subject-Token": token, "Vary": "X-Auth-Token"})


def _subject(call: Call) -> tuple[str, Described]:
    token = call.headers.get("X-SUBJECT-TOKEN")
    if not token:
        raise Invalid("The header X-Subject-Token is missing")
    late = (call.one("allow_expired") or "").lower() in ("1", "true")
    found = call.app.tokens.look_up(token, allow_expired=late)
    if found is None:
        raise TokenNotFound
    call.demand(READ_OR_SELF, {"user_id": found.user["id"]})
    return token, found


def _validate(call: Call) -> Reply:
    token, found = _subject(call)
    return Reply(_document(call, found), headers={"X-Subject-Token": token, "Vary": "X-Auth-Token"})


def _revoke(call: Call) -> None:
    token, _ = _subject(call)
    call.app.tokens.revoke(token)


def _catalog(call: Call) -> dict[str, Any]:
    context = call.context
    links = {"self": f"{call.base_url}/v3/auth/catalog", "next": None, "previous": None}
    return {"catalog": catalog_of(call.app.store, context.project_id, context.user_id), "links": links}


def _projects(call: Call) -> dict[str, Any]:
    targets = call.app.store.grants.targets(call.context.user_id)
    rows = call.app.store.projects.some(t.project_id for t in targets if t.project_id)
    return PROJECTS.page(call, [row for row in rows if row["enabled"]], "/v3/auth/projects")


def _domains(call: Call) -> dict[str, Any]:
    targets = call.app.store.grants.targets(call.context.user_id)
    rows = call.app.store.domains.some(t.domain_id for t in targets if t.domain_id)
    return DOMAINS.page(call, [row for row in rows if row["enabled"]], "/v3/auth/domains")


def _system(call: Call) -> dict[str, Any]:
    targets = call.app.store.grants.targets(call.context.user_id)
    anywhere = any(not t.project_id and not t.domain_id for t in targets)
    return {"system": [{"all": True}] if anywhere else [], "links": {"self": f"{call.base_url}/v3/auth/system"}}


ENDPOINTS = [
    Endpoint(method="POST", path="/v3/auth/tokens", public=True, handler=_issue, body=_LOGIN, status=201),
    Endpoint(method="GET", path="/v3/auth/tokens", handler=_validate, rule=ANYONE),
    Endpoint(method="DELETE", path="/v3/auth/tokens", handler=_revoke, rule=ANYONE, status=204),
    Endpoint(method="GET", path="/v3/auth/catalog", handler=_catalog, rule=ANYONE),
    Endpoint(method="GET", path="/v3/auth/projects", handler=_projects, rule=ANYONE),
    Endpoint(method="GET", path="/v3/auth/domains", handler=_domains, rule=ANYONE),
    Endpoint(method="GET", path="/v3/auth/system", handler=_system, rule=ANYONE),
]
