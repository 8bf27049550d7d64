"""Domains."""

from kilonova.kit.http.endpoint import Call
from kilonova.kit.http.schema import Field
from kilonova.lab.identity.api.collection import FLAG, NAME, OPTIONS, TEXT, ActionRefused, Collection
from kilonova.lab.identity.store.rows import Row


def _own(call: Call, row: Row) -> bool:
    context = call.context
    return row["id"] in (context.user_domain_id, context.project_domain_id, context.domain_id)


def _demand_disabled(_call: Call, row: Row) -> None:
    if row["enabled"]:
        raise ActionRefused(reason="Cannot delete a domain that is enabled, please disable it first.")


def _present(row: Row) -> Row:
    return {**row, "tags": [], "options": {}}


DOMAINS = Collection(
    noun="domain",
    plural="domains",
    rows=lambda store: store.domains,
    fields=(
        Field(name="name", schema=NAME, required=True),
        Field(name="description", schema=TEXT),
        Field(name="enabled", schema=FLAG),
        Field(name="tags", schema={"type": "array", "maxItems": 0}),
        Field(name="options", schema=OPTIONS),
    ),
    filters=("name", "enabled"),
    may_read=_own,
    before_delete=_demand_disabled,
    present=_present,
)
ENDPOINTS = DOMAINS.endpoints()
