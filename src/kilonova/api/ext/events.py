"""``GET /ext/v1/events``: what happens to a project's servers, as server-sent events from the journal.

Each accepted operation is one event, and its end another. The id of an event is a cursor: a client that reconnects with
``Last-Event-ID`` (or ``?since=``) gets what came after it, also from another API process. Moments are taken before they
are committed, so an event may appear a little after younger ones: every look goes back over the last seconds, and the
cursor names what was sent in them. Nothing is left out; a burst within those seconds may repeat an event after a
reconnect, and its ``key`` tells.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from kilonova.api import fields
from kilonova.domain.lifecycle import HIDDEN, LIFECYCLE
from kilonova.kit import codec
from kilonova.kit.clock import stamp
from kilonova.kit.errors import Invalid, Unavailable
from kilonova.kit.http.endpoint import Call, Endpoint, Reply
from kilonova.store import operations

_RULE = "os_compute_api:os-instance-actions:list"
_DETAILS = "os_compute_api:os-instance-actions:events:details"
_OVERLAP = timedelta(seconds=2)
_LOOK = 0.5
"""Seconds between looks at the journal."""
_BEAT = 15.0
"""Seconds of silence after which a comment keeps the connection open."""
_LONGEST = 3600
_MOST_NAMED = 64
"""Events of the overlap that a cursor names."""
_ENDINGS = {"done": "succeeded", "failed": "failed", "cancelled": "cancelled"}
_SEATS = threading.BoundedSemaphore(8)
"""A stream keeps a thread."""


class NoSeat(Unavailable):
    """Too many streams in this process (503)."""

    template = "This API process serves as many event streams as it can; try again, or ask another"
    headers = {"Retry-After": "5"}  # read only


def stream(call: Call) -> Reply:
    """The events after the cursor, or from now on, for ``timeout`` seconds. Raises Invalid, NoSeat."""
    everyone = fields.truth(call.one("all_projects", "0"))
    if everyone:
        call.demand("context_is_admin", {})
    call.demand(_RULE, {"project_id": call.context.project_id, "user_id": call.context.user_id})
    seconds = min(call.integer("timeout", _LONGEST) or 0, _LONGEST)
    feed = Feed(call, None if everyone else call.context.project_id, call.one("server_id"))
    if not _SEATS.acquire(blocking=False):
        raise NoSeat
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return Reply(content_type="text/event-stream", headers=headers, stream=_Seated(_lines(feed, seconds)))


class _Seated:
    """An iterator that gives its seat back when the server is done with it, begun or not."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self._seated = True

    def __iter__(self) -> Iterator[bytes]:
        return self._lines

    def close(self) -> None:
        """Called by the WSGI server at the end of the reply, however it ended."""
        if self._seated:
            self._seated = False
            _SEATS.release()


def _lines(feed: "Feed", seconds: int) -> Iterator[bytes]:
    deadline = time.monotonic() + seconds
    yield b"retry: 3000\n\n"
    spoken = time.monotonic()
    while True:
        for event in feed.look():
            yield event
            spoken = time.monotonic()
        if time.monotonic() >= deadline:
            return
        if feed.behind:
            continue
        if time.monotonic() - spoken > _BEAT:
            yield b": still here\n\n"
            spoken = time.monotonic()
        time.sleep(_LOOK)


class Feed:
    """One client's place in the journal."""

    def __init__(self, call: Call, project_id: str | None, server_id: str | None) -> None:
        self._store = call.app.store
        self._project = project_id
        self._server = server_id
        self._open = call.allow(_DETAILS, {"project_id": call.context.project_id, "user_id": call.context.user_id})
        self._sent: dict[str, str] = {}
        """Key to moment of what was sent within the overlap."""
        self.behind = False
        """More was there than one look takes."""
        cursor = call.headers.get("LAST-EVENT-ID") or call.one("since")
        moment, known = _parsed(cursor) if cursor else (stamp(call.app.clock.now()), None)
        self._newest = moment
        self._floor = moment if known is None else _before(moment)
        self._sent.update(dict.fromkeys(known or (), moment))

    def look(self) -> Iterator[bytes]:
        """Events since the last look, oldest first."""
        self.behind = False
        found: list[tuple[str, str, Mapping[str, Any]]] = []
        answers = self._store.ask(lambda connection: operations.changed(connection, self._floor, self._project, HIDDEN))
        for rows in answers.values():
            self.behind = self.behind or len(rows) == operations.MOST_CHANGED
            for row in rows:
                found.extend(self._events(row))
        for moment, key, document in sorted(found, key=lambda event: event[:2]):
            self._sent[key] = moment
            self._newest = max(self._newest, moment)
            yield self._encoded(key, document)
        self._floor = max(self._floor, _before(self._newest))
        self._sent = {key: moment for key, moment in self._sent.items() if moment >= self._floor}

    def _events(self, row: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
        if self._server not in {None, row["server_uuid"]}:
            return
        moments = [("accepted", row["created_at"])]
        if row["finished_at"] is not None:
            moments.append((_ENDINGS.get(row["state"], row["state"]), row["finished_at"]))
        for word, moment in moments:
            key = f"{row['id'][:8]}{word[0]}"
            if moment >= self._floor and key not in self._sent:
                yield moment, key, self._document(row, key, word, moment)

    def _document(self, row: Mapping[str, Any], key: str, word: str, moment: str) -> dict[str, Any]:
        known = LIFECYCLE.get(row["verb"])
        ended = word != "accepted"
        return {
            "type": f"operation.{word}",
            "key": key,
            "time": f"{moment}Z",
            "operation": {
                "id": row["id"],
                "action": known.action_name if known else row["verb"],
                "server_id": row["server_uuid"],
                "project_id": row["project_id"],
                "user_id": row["user_id"],
                "request_id": row["request_id"],
                "message": row["error"] if ended and self._open else None,
            },
        }

    def _encoded(self, key: str, document: Mapping[str, Any]) -> bytes:
        newest = _before(self._newest)
        named = [k for k, moment in self._sent.items() if moment >= newest and k != key][1 - _MOST_NAMED :]
        cursor = ",".join([self._newest, *named, key])
        return f"id: {cursor}\nevent: {document['type']}\ndata: {codec.text(document)}\n\n".encode()


def _before(moment: str) -> str:
    return stamp(datetime.fromisoformat(moment) - _OVERLAP)


def _parsed(cursor: str) -> tuple[str, list[str] | None]:
    """A moment, and what a cursor names besides; None for a plain moment. Raises Invalid."""
    text, comma, rest = cursor.partition(",")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        words = "is neither the id of an event nor a time such as 2026-01-02T03:04:05Z"
        raise Invalid(f"since (or Last-Event-ID): {cursor[:60]!r} {words}") from None
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return stamp(moment), rest.split(",") if comma else None


_QUERY = fields.query(fields.key("since"), fields.key("server_id"), fields.key("all_projects"), fields.key("timeout"))
ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/ext/v1/events",
        handler=stream,
        query=_QUERY,
        strict_query=(2, 1),
        summary="Follow what happens to servers",
    ),
)
