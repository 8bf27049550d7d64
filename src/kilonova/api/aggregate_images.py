"""``POST /os-aggregates/{aggregate_id}/images``: hosts fetch images before anybody needs them."""

from typing import Any

from kilonova.api import fields, notices
from kilonova.api.aggregates import aggregate_of
from kilonova.clients.glance.contract import ImageNotFound
from kilonova.hypervisor.contracts import ImageFacts
from kilonova.kit import codec
from kilonova.kit.errors import Invalid
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import Array, Field, Object

_IMAGE = Object((Field(name="id", schema=fields.UUID, required=True),))
_BODY = fields.body(Field(name="cache", schema=Array(_IMAGE, {"minItems": 1, "uniqueItems": True}), required=True))


def create(call: Call) -> None:
    """Tell the conductors, which ask the hosts. Raises AggregateNotFound, Invalid for images that are not there."""
    aggregate = aggregate_of(call)
    images = [codec.pack(_facts(call, entry["id"])) for entry in call.body["cache"]]
    if aggregate["hosts"]:
        about = {name: aggregate[name] for name in ("id", "uuid", "name")}
        call.app.precache({"aggregate": about, "hosts": aggregate["hosts"], "images": images})


def _facts(call: Call, image_id: str) -> ImageFacts:
    try:
        image: Any = call.app.images.get(call.context, image_id)
    except ImageNotFound as error:
        raise Invalid(f"cache: {error}") from None
    return ImageFacts(
        id=image.id,
        disk_format=image.disk_format or "raw",
        size=image.size,
        checksum=f"{image.hash_algo}:{image.hash_value}" if image.hash_algo and image.hash_value else None,
        properties=dict(image.properties),
    )


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/os-aggregates/{aggregate_id}/images",
        handler=notices.telling(create, "aggregate.cache_images", notices.aggregate),
        since=(2, 81),
        rule="compute:aggregates:images",
        body=_BODY,
        status=202,
        summary="Cache images on an aggregate's hosts",
    ),
)
