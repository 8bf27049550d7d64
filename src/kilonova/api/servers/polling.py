"""Waiting for a server to change: ``ETag``, ``If-None-Match`` and ``Prefer: wait=N`` on ``GET /servers/{server_id}``.

Every reply has an ETag. A request that names the one it has gets 304 while nothing changed; with ``Prefer: wait=N`` it
is held until something does, or N seconds have passed (at most a minute).
"""

import hashlib
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kilonova.api.servers import finding
from kilonova.kit import codec
from kilonova.kit.errors import Invalid
from kilonova.kit.http.endpoint import Call, Handler, Reply
from kilonova.store import servers

_LONGEST = 60
_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?([^\s,;\"]*)")
_LOOK = 0.2
"""Seconds between looks at the row's revision."""
_SEATS = threading.BoundedSemaphore(8)
"""A waiting request keeps a thread: beyond these, requests are answered at once."""


def watched(show: Handler) -> Handler:
    """The handler with an ETag, 304 and waiting."""

    def handler(call: Call) -> Reply:
        reply, tag = _tagged(show, call)
        known = {part.strip().removeprefix("W/") for part in call.headers.get("IF-NONE-MATCH", "").split(",")}
        if tag not in known:
            return reply
        seconds = _seconds(call)
        if seconds:
            with _seat() as seated:
                if seated:
                    return _waited(show, call, tag, seconds)
        return _unchanged(tag)

    return handler


def _tagged(show: Handler, call: Call) -> tuple[Reply, str]:
    body = codec.dumps(show(call))
    tag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    return Reply(body, headers={"ETag": tag}), tag


def _unchanged(tag: str) -> Reply:
    return Reply(status=304, headers={"ETag": tag})


def _seconds(call: Call) -> int:
    """How long the caller is ready to wait. Raises Invalid."""
    found = _WAIT.search(call.headers.get("PREFER", ""))
    if found is None:
        return 0
    if not found[1].isdigit():
        raise Invalid(f"Prefer: wait={found[1]} is not a whole number of seconds")
    return min(int(found[1]), _LONGEST)


@contextmanager
def _seat() -> Iterator[bool]:
    seated = _SEATS.acquire(blocking=False)
    try:
        yield seated
    finally:
        if seated:
            _SEATS.release()


def _waited(show: Handler, call: Call, tag: str, seconds: int) -> Reply:
    deadline = time.monotonic() + seconds
    while True:
        seen = _revision(call)  # before the document: a change in between is seen at the next look
        reply, now = _tagged(show, call)
        if now != tag or time.monotonic() >= deadline:
            break
        while _revision(call) == seen and time.monotonic() < deadline:
            time.sleep(_LOOK)
    if now == tag:
        reply = _unchanged(tag)
    reply.headers["Preference-Applied"] = f"wait={seconds}"
    return reply


def _revision(call: Call) -> Any:
    """Grows with every change of the server's row; None when it is gone."""
    uuid = call.params["server_id"]
    return finding.seek(call, uuid, servers.revision)[1]
