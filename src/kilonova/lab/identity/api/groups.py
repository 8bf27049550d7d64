"""Groups of users."""

from kilonova.kit.http.endpoint import Call
from kilonova.kit.http.schema import Field
from kilonova.lab.identity.api.collection import KEY, NAME, TEXT, ActionRefused, Collection, demand_known, home_domain
from kilonova.lab.identity.store.rows import Row


def _prepare(call: Call, values: Row, row: Row | None) -> Row:
    if row is None:
        values = {**values, "domain_id": values.get("domain_id") or home_domain(call)}
        demand_known(call, lambda store: store.domains, values["domain_id"], "domain_id")
    elif values.pop("domain_id", row["domain_id"]) != row["domain_id"]:
        raise ActionRefused(reason="The field 'domain_id' of a group cannot change.")
    return values


GROUPS = Collection(
    noun="group",
    plural="groups",
    rows=lambda store: store.groups,
    fields=(
        Field(name="name", schema=NAME, required=True),
        Field(name="description", schema=TEXT),
        Field(name="domain_id", schema=KEY),
    ),
    filters=("name", "domain_id"),
    prepare=_prepare,
)


ENDPOINTS = GROUPS.endpoints()
