"""The EC2 tree: ``/{version}/meta-data/…`` and ``/{version}/user-data``."""

from typing import Any

from kilonova.domain import guest_data
from kilonova.kit.http.endpoint import Call, Endpoint, Reply
from kilonova.metadata.openstack import BINARY, NothingHere, text
from kilonova.metadata.wiring import asker


def versions(call: Call) -> Reply:
    """One version a line, for whoever asks: load balancers see by it that the service is there."""
    del call
    return text("\n".join(guest_data.EC2_VERSIONS))


def listing(call: Call) -> Reply:
    """What a version has."""
    _cell, row = asker(call)
    _version(call)
    return text("\n".join(["meta-data/", "user-data"] if row["user_data"] else ["meta-data/"]))


def tree(call: Call) -> Reply:
    """A listing of keys, or one value."""
    _cell, row = asker(call)
    node: Any = guest_data.ec2_meta_data(row, call.app.options.guest, version=_version(call))
    for key in filter(None, call.params.get("keys", "").split("/")):
        if not isinstance(node, dict) or key not in node or key == "_name":
            raise NothingHere
        node = node[key]
    return text(_shown(node))


def _shown(node: Any) -> str:
    if isinstance(node, dict):
        return "\n".join(_line(key, child) for key, child in sorted(node.items()) if key != "_name")
    return "\n".join(node) if isinstance(node, list) else str(node)


def _line(key: str, child: Any) -> str:
    """A key with children ends in a slash, unless it has a name of its own (key pairs: ``0=name``)."""
    if not isinstance(child, dict):
        return key
    return str(child.get("_name") or f"{key}/")


def user_data(call: Call) -> Reply:
    """What the user gave."""
    _cell, row = asker(call)
    _version(call)
    data = guest_data.user_data(row)
    if data is None:
        raise NothingHere
    return Reply(data, content_type=BINARY)


def _version(call: Call) -> str:
    version = call.params["version"]
    if version not in guest_data.EC2_VERSIONS:
        raise NothingHere
    return version


ENDPOINTS = (
    Endpoint(method="GET", path="/", handler=versions, summary="List EC2 versions"),
    Endpoint(method="GET", path="/{version}", handler=listing, summary="List what a version has"),
    Endpoint(method="GET", path="/{version}/meta-data", handler=tree, summary="List keys"),
    Endpoint(method="GET", path="/{version}/meta-data/{keys:path}", handler=tree, summary="Read a value"),
    Endpoint(method="GET", path="/{version}/user-data", handler=user_data, summary="Read user data"),
)
