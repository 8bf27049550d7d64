"""Parts that replies share: dates, links, uuids from paths."""

from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from kilonova.kit.http.endpoint import Call, Reply
from kilonova.kit.http.schema import is_uuid
from kilonova.placement.api.wiring import wired
from kilonova.placement.domain.errors import BadQuery, ProviderNotFound


def dated(
    call: Call,
    body: Any,
    newest: datetime | None = None,
    *,
    status: int | None = None,
    headers: dict[str, str] | None = None,
) -> Reply:
    """A reply that, from 1.15, says when its content last changed (now, when that is not known) and not to cache it."""
    extra = dict(headers or {})
    if call.at_least(15):
        moment = (newest or wired(call).clock.now()).replace(tzinfo=UTC)
        extra["last-modified"] = format_datetime(moment, usegmt=True)
        extra["cache-control"] = "no-cache"
    return Reply(body, status=status, headers=extra)


def href(call: Call, path: str) -> str:
    """A link below the service's mount point, without host."""
    return urlsplit(call.base_url).path.rstrip("/") + path


def location(call: Call, path: str) -> dict[str, str]:
    """The Location header."""
    return {"Location": call.base_url + path}


def provider_uuid(call: Call) -> str:
    """The provider that the path names. Raises ProviderNotFound for what is no uuid."""
    text = call.params["uuid"]
    if not is_uuid(text):
        raise ProviderNotFound(uuid=text)
    return str(UUID(text))


def canonical(text: str) -> str:
    """A uuid in lower case with dashes; anything else as it is."""
    return str(UUID(text)) if is_uuid(text) else text


def only(call: Call, allowed: Iterable[str]) -> None:
    """Raises BadQuery for other query keys."""
    unknown = sorted(set(call.query) - set(allowed))
    if unknown:
        raise BadQuery(field=unknown[0], reason="there is no such parameter at this microversion")
