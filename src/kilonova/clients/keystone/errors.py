"""What a neighbour's reply means in our own kinds, with the neighbour's name and its own words."""

import re
from collections.abc import Mapping
from typing import Any

from kilonova.kit import codec
from kilonova.kit.errors import (
    Conflict,
    Forbidden,
    Invalid,
    KilonovaError,
    NotFound,
    OverQuota,
    Unauthorized,
    Unavailable,
)

_TITLE = re.compile(r"<title>.*?</title>|<h1>.*?</h1>", re.DOTALL | re.IGNORECASE)
_MARKUP = re.compile(r"<[^>]*>")
_LONGEST = 500


class NeighbourDown(Unavailable):
    """No connection, no answer in time, or the connection broke."""

    template = "{neighbour} does not answer at {url}: {reason}"


class NeighbourFailed(Unavailable):
    """The neighbour answered with a server error, or with something that is no answer."""

    template = "{neighbour} answered {call} with {status}: {reason}"


class BadCredentials(Unavailable):
    """The neighbour or Keystone does not take our own credentials."""

    template = "{neighbour} refuses the credentials in section [{section}] of the configuration: {reason}"


class NoEndpoint(Unavailable):
    """The catalog does not list the neighbour."""

    template = (
        "The catalog has no {service_type} endpoint (interfaces {interfaces}, region {region}); "
        "set endpoint_override in section [{section}] or add it to the catalog"
    )


class RemoteInvalid(Invalid):
    """The neighbour refuses the request's content."""

    template = "{neighbour}: {reason}"


class RemoteUnauthorized(Unauthorized):
    """The neighbour does not take the user's token."""

    template = "{neighbour}: {reason}"


class RemoteForbidden(Forbidden):
    """The neighbour's policy says no."""

    template = "{neighbour}: {reason}"


class RemoteNotFound(NotFound):
    """The neighbour does not know the thing."""

    template = "{neighbour}: {reason}"


class RemoteConflict(Conflict):
    """The neighbour's present state does not allow it; ``fields["code"]`` is the neighbour's own word."""

    template = "{neighbour}: {reason}"


class RemoteOverQuota(OverQuota):
    """The neighbour's quota would be exceeded."""

    template = "{neighbour}: {reason}"


_KINDS: Mapping[int, type[KilonovaError]] = {
    400: RemoteInvalid,
    401: RemoteUnauthorized,
    403: RemoteForbidden,
    404: RemoteNotFound,
    409: RemoteConflict,
    412: RemoteConflict,
    413: RemoteOverQuota,
    415: RemoteInvalid,
    422: RemoteInvalid,
}


def translate(neighbour: str, call: str, status: int, content: bytes) -> KilonovaError:
    """The error of a reply with ``status`` ≥ 300."""
    code, message = words(content)
    message = message or f"status {status} without a message"
    kind = RemoteOverQuota if "OverQuota" in code else _KINDS.get(status)
    if kind is None:
        return NeighbourFailed(neighbour=neighbour, call=call, status=status, reason=message, code=code)
    return kind(neighbour=neighbour, call=call, status=status, reason=message, code=code)


def words(content: bytes) -> tuple[str, str]:
    """Machine-readable code and message of an error document: Neutron's, Placement's, Keystone's, or Glance's HTML."""
    try:
        document = codec.loads(content)
    except ValueError:
        return "", _plain(content)
    if isinstance(document, dict) and isinstance(document.get("errors"), list) and document["errors"]:
        first = document["errors"][0]
        return str(first.get("code", "")), _last_line(first.get("detail") or first.get("title") or "")
    inner = _inner(document)
    if inner is None:
        return "", _plain(content)
    return str(inner.get("type") or inner.get("title") or ""), str(inner.get("message") or "")


def _last_line(text: object) -> str:
    """Placement's detail begins with the status in words; what happened is in its last line."""
    return str(text).strip().rpartition("\n")[2].strip()


def _inner(document: Any) -> Mapping[str, Any] | None:
    if not isinstance(document, dict):
        return None
    if "message" in document:
        return document
    nested = [value for value in document.values() if isinstance(value, dict) and "message" in value]
    return nested[0] if nested else None


def _plain(content: bytes) -> str:
    text = content.decode(errors="replace")
    return " ".join(_MARKUP.sub(" ", _TITLE.sub(" ", text)).split())[:_LONGEST]
