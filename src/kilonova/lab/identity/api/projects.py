"""Projects."""

from kilonova.kit.errors import Invalid
from kilonova.kit.http.endpoint import Call
from kilonova.kit.http.schema import Field
from kilonova.lab.identity.api.collection import (
    FLAG,
    KEY,
    NAME,
    OPTIONAL_KEY,
    OPTIONS,
    TEXT,
    ActionRefused,
    Collection,
    demand_known,
    home_domain,
)
from kilonova.lab.identity.store.grants import Target
from kilonova.lab.identity.store.rows import Row


def _member(call: Call, row: Row) -> bool:
    if row["id"] == call.context.project_id:
        return True
    return bool(call.app.store.grants.effective(call.context.user_id, Target(project_id=row["id"])))


def _prepare(call: Call, values: Row, row: Row | None) -> Row:
    if values.pop("is_domain", False):
        raise Invalid("Invalid input for field 'is_domain': make a domain by POST /v3/domains.")
    if row is not None:
        for fixed in ("domain_id", "parent_id"):
            if values.pop(fixed, row[fixed]) != row[fixed]:
                raise ActionRefused(reason=f"The field '{fixed}' of a project cannot change.")
        return values
    parent = values.get("parent_id")
    above = call.app.store.projects.first(id=parent) if parent else None
    domain = values.get("domain_id") or (above["domain_id"] if above else home_domain(call))
    demand_known(call, lambda store: store.domains, domain, "domain_id")
    if parent and parent != domain and (above is None or above["domain_id"] != domain):
        raise Invalid(f"Invalid input for field 'parent_id': {parent} is no project of domain {domain}.")
    return {**values, "domain_id": domain, "parent_id": parent or domain}


def _demand_childless(call: Call, row: Row) -> None:
    if call.app.store.projects.first(parent_id=row["id"]) is not None:
        raise ActionRefused(reason=f"Cannot delete project {row['id']}: it has projects below it.")


def _present(row: Row) -> Row:
    return {**row, "is_domain": False, "options": {}}


_TAG = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[^,/]*$"}
PROJECTS = Collection(
    noun="project",
    plural="projects",
    rows=lambda store: store.projects,
    fields=(
        Field(name="name", schema=NAME, required=True),
        Field(name="description", schema=TEXT),
        Field(name="enabled", schema=FLAG),
        Field(name="domain_id", schema=KEY),
        Field(name="parent_id", schema=OPTIONAL_KEY),
        Field(name="is_domain", schema=FLAG),
        Field(name="tags", schema={"type": "array", "uniqueItems": True, "maxItems": 80, "items": _TAG}),
        Field(name="options", schema=OPTIONS),
    ),
    filters=("name", "domain_id", "enabled", "parent_id"),
    may_read=_member,
    prepare=_prepare,
    before_delete=_demand_childless,
    present=_present,
)
ENDPOINTS = PROJECTS.endpoints()
