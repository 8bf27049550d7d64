"""Roles and what they imply."""

from typing import Any

from kilonova.kit.errors import Invalid, NotFound
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import Field
from kilonova.lab.identity.api.collection import NAME, OPTIONS, TEXT, Collection
from kilonova.lab.identity.rules import ADMIN, READ
from kilonova.lab.identity.store.rows import Row


class ImplicationNotFound(NotFound):
    """The role does not imply the other."""

    template = "{prior_id} does not imply {implied_id}."


def _present(row: Row) -> Row:
    return {**row, "domain_id": None, "options": {}}


def _prepare(_call: Call, values: Row, _row: Row | None) -> Row:
    if values.pop("domain_id", None) is not None:
        raise Invalid("Invalid input for field 'domain_id': the lab identity service has no roles of a domain.")
    return values


ROLES = Collection(
    noun="role",
    plural="roles",
    rows=lambda store: store.roles,
    fields=(
        Field(name="name", schema=NAME, required=True),
        Field(name="description", schema=TEXT),
        Field(name="domain_id", schema={"type": ["string", "null"]}),
        Field(name="options", schema=OPTIONS),
    ),
    prepare=_prepare,
    present=_present,
)


def _link(call: Call, role: Row) -> Row:
    return {"id": role["id"], "name": role["name"], "links": {"self": f"{call.base_url}/v3/roles/{role['id']}"}}


def _implied_by(call: Call, prior: Row) -> list[Row]:
    store = call.app.store
    keys = [implied for prior_id, implied in store.grants.implications() if prior_id == prior["id"]]
    return [_link(call, role) for role in store.roles.some(keys)]


def _implies(call: Call) -> dict[str, Any]:
    prior = call.app.store.roles.get(call.params["role_id"])
    inference = {"prior_role": _link(call, prior), "implies": _implied_by(call, prior)}
    return {"role_inference": inference, "links": {"self": f"{call.base_url}/v3/roles/{prior['id']}/implies"}}


def _pair(call: Call) -> tuple[Row, Row]:
    return call.app.store.roles.get(call.params["role_id"]), call.app.store.roles.get(call.params["implied_id"])


def _imply(call: Call) -> dict[str, Any]:
    prior, implied = _pair(call)
    if prior["id"] in call.app.store.grants.with_implied([implied["id"]]):
        raise Invalid(f"Role {implied['name']} implies {prior['name']} already; the other way round would be a circle.")
    call.app.store.grants.imply(prior["id"], implied["id"])
    return {"role_inference": {"prior_role": _link(call, prior), "implies": _link(call, implied)}}


def _show_implication(call: Call) -> dict[str, Any]:
    prior, implied = _pair(call)
    if (prior["id"], implied["id"]) not in call.app.store.grants.implications():
        raise ImplicationNotFound(prior_id=prior["id"], implied_id=implied["id"])
    return {"role_inference": {"prior_role": _link(call, prior), "implies": _link(call, implied)}}


def _unimply(call: Call) -> None:
    prior, implied = _pair(call)
    if not call.app.store.grants.unimply(prior["id"], implied["id"]):
        raise ImplicationNotFound(prior_id=prior["id"], implied_id=implied["id"])


def _inferences(call: Call) -> dict[str, Any]:
    store = call.app.store
    priors = store.roles.some(prior for prior, _ in store.grants.implications())
    found = [{"prior_role": _link(call, prior), "implies": _implied_by(call, prior)} for prior in priors]
    return {"role_inferences": found, "links": {"self": f"{call.base_url}/v3/role_inferences"}}


_ONE = "/v3/roles/{role_id}/implies/{implied_id}"
ENDPOINTS = [
    *ROLES.endpoints(),
    Endpoint(method="GET", path="/v3/roles/{role_id}/implies", handler=_implies, rule=READ),
    Endpoint(method="PUT", path=_ONE, handler=_imply, rule=ADMIN, status=201),
    Endpoint(method="GET", path=_ONE, handler=_show_implication, rule=READ),
    Endpoint(method="DELETE", path=_ONE, handler=_unimply, rule=ADMIN, status=204),
    Endpoint(method="GET", path="/v3/role_inferences", handler=_inferences, rule=READ),
]
