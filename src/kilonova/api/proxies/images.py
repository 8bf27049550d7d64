"""``/images``: Glance's images in the words of the Compute API."""

from collections.abc import Callable
from typing import Any

from kilonova.api import fields, links
from kilonova.api.microversions import PROXIES_UNTIL
from kilonova.clients.glance.contract import ImageNotFound
from kilonova.clients.glance.facts import Image
from kilonova.kit.http import paging
from kilonova.kit.http.endpoint import Call, Endpoint

_PATH = "/images"
_STATUS = {
    "active": "ACTIVE",
    "queued": "SAVING",
    "saving": "SAVING",
    "deleted": "DELETED",
    "pending_delete": "DELETED",
}
_PROGRESS = {"queued": 25, "saving": 50, "active": 100}
_WORDS = {"ACTIVE": "active", "SAVING": "saving", "DELETED": "deleted", "ERROR": "killed"}
_FILTERS = {"name": "name", "server": "instance_uuid", "type": "image_type", "minRam": "min_ram", "minDisk": "min_disk"}
_QUERY = fields.query("limit", "marker", "status", "changes-since", *_FILTERS)


def _alternate(call: Call, image_id: str) -> dict[str, str]:
    prefix = call.app.api.glance_link_prefix or call.app.images.url()
    href = f"{prefix.rstrip('/')}/images/{image_id}"
    return {"rel": "alternate", "type": "application/vnd.openstack.image", "href": href}


def _brief(call: Call) -> Callable[[Image], dict[str, Any]]:
    ways = links.linker(call, "images")
    return lambda image: {
        "id": image.id,
        "name": image.name,
        "links": [*ways(image.id), _alternate(call, image.id)],
    }


def _full(call: Call) -> Callable[[Image], dict[str, Any]]:
    brief, servers = _brief(call), links.linker(call, "servers")

    def view(image: Image) -> dict[str, Any]:
        found = {
            **brief(image),
            "minRam": image.min_ram,
            "minDisk": image.min_disk,
            "metadata": dict(image.properties),
            "created": image.created_at,
            "updated": image.updated_at,
            "status": _STATUS.get(image.status, "UNKNOWN" if image.status != "killed" else "ERROR"),
            "progress": _PROGRESS.get(image.status, 0),
            "OS-EXT-IMG-SIZE:size": image.size,
        }
        automatic = image.properties.get("auto_disk_config")
        if automatic is not None:
            found["OS-DCF:diskConfig"] = "AUTO" if fields.truth(automatic) else "MANUAL"
        server = image.properties.get("instance_uuid")
        if server:
            found["server"] = {"id": server, "links": servers(server)}
        return found

    return view


def _listing(shape: Callable[[Call], Callable[[Image], dict[str, Any]]], path: str) -> Callable[[Call], Any]:
    def handler(call: Call) -> Any:
        limit = paging.limit_of(call, call.app.api.max_limit)
        query = [("limit", str(limit)), ("sort_key", "created_at"), ("sort_dir", "desc")]
        asked = {name: str(call.one(name)) for name in _FILTERS if call.one(name)}
        if "server" in asked:  # a link of the server says which as well
            asked["server"] = asked["server"].rpartition("/")[2]
        if call.one("marker"):
            query.append(("marker", str(call.one("marker"))))
        query += [(_FILTERS[name], value) for name, value in asked.items()]
        if call.one("status"):
            query.append(("status", _WORDS.get(str(call.one("status")).upper(), str(call.one("status")))))
        if call.one("changes-since"):
            query.append(("updated_at", f"gte:{call.one('changes-since')}"))
        found = call.app.images.list(call.context, query) if limit else ()
        view = shape(call)
        reply: dict[str, Any] = {"images": [view(image) for image in found]}
        if found and len(found) == limit:
            reply["images_links"] = links.page_link(call, path.lstrip("/"), found[-1].id)
        return reply

    return handler


def show(call: Call) -> Any:
    """One image."""
    return {"image": _full(call)(call.app.images.get(call.context, call.params["image_id"]))}


def delete(call: Call) -> None:
    """Raises ImageNotFound, Forbidden for a protected image."""
    if not call.app.images.delete(call.context, call.params["image_id"]):
        raise ImageNotFound(image_id=call.params["image_id"])


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=_PATH,
        handler=_listing(_brief, _PATH),
        query=_QUERY,
        until=PROXIES_UNTIL,
        summary="List images",
    ),
    Endpoint(
        method="GET",
        path=_PATH + "/detail",
        handler=_listing(_full, _PATH + "/detail"),
        query=_QUERY,
        until=PROXIES_UNTIL,
        summary="List images with details",
    ),
    Endpoint(method="GET", path=_PATH + "/{image_id}", handler=show, until=PROXIES_UNTIL, summary="Show an image"),
    Endpoint(
        method="DELETE",
        path=_PATH + "/{image_id}",
        handler=delete,
        until=PROXIES_UNTIL,
        status=204,
        summary="Delete an image",
    ),
)
