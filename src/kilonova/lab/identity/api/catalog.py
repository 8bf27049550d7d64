"""Regions, services and endpoints: what the catalog is made of."""

import uuid

from kilonova.kit.errors import Invalid
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import Field, Object, Schema
from kilonova.lab.identity.api.collection import FLAG, KEY, NAME, TEXT, ActionRefused, Collection, demand_known
from kilonova.lab.identity.rules import ADMIN, ANYONE
from kilonova.lab.identity.store.rows import Row

_REGION_KEY = {"type": ["string", "null"], "maxLength": 255}
_URL = {"type": "string", "minLength": 1, "pattern": "^[a-zA-Z][a-zA-Z0-9+.-]*://"}


def _prepare_region(call: Call, values: Row, row: Row | None) -> Row:
    demand_known(call, lambda store: store.regions, values.get("parent_region_id"), "parent_region_id")
    if row is None and not values.get("id"):
        return {**values, "id": uuid.uuid4().hex}
    return values


def _demand_unused(call: Call, row: Row) -> None:
    store = call.app.store
    if store.endpoints.first(region_id=row["id"]) or store.regions.first(parent_region_id=row["id"]):
        raise ActionRefused(reason=f"Region {row['id']} still has endpoints or regions below it.")


REGIONS = Collection(
    noun="region",
    plural="regions",
    rows=lambda store: store.regions,
    fields=(
        Field(name="id", schema=_REGION_KEY),
        Field(name="description", schema=TEXT),
        Field(name="parent_region_id", schema=_REGION_KEY),
    ),
    filters=("parent_region_id",),
    read_rule=ANYONE,
    prepare=_prepare_region,
    before_delete=_demand_unused,
)
SERVICES = Collection(
    noun="service",
    plural="services",
    rows=lambda store: store.services,
    fields=(
        Field(name="type", schema=NAME, required=True),
        Field(name="name", schema={"type": "string", "maxLength": 255}),
        Field(name="description", schema=TEXT),
        Field(name="enabled", schema=FLAG),
    ),
    filters=("name", "type"),
)


def _prepare_endpoint(call: Call, values: Row, row: Row | None) -> Row:
    del row
    region = values.pop("region", None)
    if region is not None and values.setdefault("region_id", region) != region:
        raise Invalid("Invalid input for field 'region': it differs from region_id.")
    demand_known(call, lambda store: store.services, values.get("service_id"), "service_id")
    demand_known(call, lambda store: store.regions, values.get("region_id"), "region_id")
    return values


ENDPOINT_ROWS = Collection(
    noun="endpoint",
    plural="endpoints",
    rows=lambda store: store.endpoints,
    fields=(
        Field(name="service_id", schema=KEY, required=True),
        Field(name="interface", schema={"enum": ["public", "internal", "admin"]}, required=True),
        Field(name="url", schema=_URL, required=True),
        Field(name="region_id", schema=_REGION_KEY),
        Field(name="region", schema=_REGION_KEY),
        Field(name="enabled", schema=FLAG),
    ),
    filters=("interface", "service_id", "region_id"),
    prepare=_prepare_endpoint,
    present=lambda row: {**row, "region": row["region_id"]},
)


def _put_region(call: Call) -> Row:
    """A region whose id the caller chooses."""
    given = dict(call.body["region"])
    if given.setdefault("id", call.params["region_id"]) != call.params["region_id"]:
        raise Invalid("Invalid input for field 'id': it differs from the id in the URL.")
    return {"region": REGIONS.document(call, call.app.store.regions.add(_region_row(call, given)))}


def _region_row(call: Call, given: Row) -> Row:
    values = _prepare_region(call, given, None)
    return {**values, "description": values.get("description") or ""}


_REGION_BODY = Schema(
    Object(
        (
            Field(
                name="region",
                required=True,
                schema=Object(tuple(f for f in REGIONS.fields)),
            ),
        )
    )
)
ENDPOINTS = [
    *REGIONS.endpoints(),
    Endpoint(
        method="PUT", path="/v3/regions/{region_id}", handler=_put_region, rule=ADMIN, body=_REGION_BODY, status=201
    ),
    *SERVICES.endpoints(),
    *ENDPOINT_ROWS.endpoints(),
]
