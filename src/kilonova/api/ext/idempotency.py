"""``Idempotency-Key`` on POST: the same key and body get the first reply again; nothing is done twice.

A key belongs to one user in one project and is kept for a day. Whoever comes with a key whose first request is still
under way waits for its reply. Where the process died after the journal had accepted the work and before the client had
the reply, the reply is made again from the journal. A refused request gives its key back.
"""

import hashlib
import time
from datetime import timedelta
from typing import Any

from kilonova.api.servers.create import reply_again
from kilonova.kit import codec
from kilonova.kit.clock import stamp
from kilonova.kit.db.rows import Row
from kilonova.kit.errors import Conflict, Invalid
from kilonova.kit.http.endpoint import Call, Endpoint, Reply
from kilonova.store import idempotency as rows
from kilonova.store import operations

HEADER = "IDEMPOTENCY-KEY"
REPLAYED = "Idempotency-Replayed"
_LONGEST_KEY = 255
_KEPT = timedelta(days=1)
_HELD = timedelta(seconds=60)
"""No request takes longer; a key without reply or journal entry after that belonged to a process that died."""
_PATIENCE = 15.0
_PAUSE = 0.1


class KeyReused(Conflict):
    """The key came with another request before (409)."""

    template = "Idempotency-Key {key} was used for another request; give each request a key of its own"


class StillWorking(Conflict):
    """The key's first request has not been answered yet (409)."""

    template = "The first request with Idempotency-Key {key} is still being worked on; ask again in a moment"


def around(endpoint: Endpoint, call: Call) -> Any:
    """The endpoint's answer, or the one that its key got before. Raises KeyReused, StillWorking, Invalid."""
    key = call.headers.get(HEADER)
    if key is None or endpoint.method != "POST" or endpoint.public:
        return endpoint.handler(call)
    if not 0 < len(key) <= _LONGEST_KEY:
        raise Invalid(f"Idempotency-Key: give it 1 to {_LONGEST_KEY} characters")
    return _Keyed(endpoint, call, key).answer()


class _Keyed:
    """One request with a key."""

    def __init__(self, endpoint: Endpoint, call: Call, key: str) -> None:
        self.endpoint = endpoint
        self.call = call
        self.key = key
        self.api = call.app.store.api
        self.digest = _digest(endpoint, call)

    def answer(self) -> Reply:
        deadline = time.monotonic() + _PATIENCE
        while True:
            if self.api.transact(self._begin):
                return self._first()
            seen = self._seen()
            if seen is not None:
                if seen["digest"] != self.digest:
                    raise KeyReused(key=self.key)
                reply = self._kept(seen) or self._from_journal(seen)
                if reply is not None:
                    return reply
                if self._taken_over(seen):
                    return self._first()
            if time.monotonic() > deadline:
                raise StillWorking(key=self.key)
            time.sleep(_PAUSE)

    def _begin(self, connection: Any) -> bool:
        context, now = self.call.context, self.call.app.clock.now()
        rows.purge(connection, stamp(now - _KEPT))
        values = {
            "project_id": context.project_id or "",
            "user_id": context.user_id or "",
            "key": self.key,
            "digest": self.digest,
            "request_id": context.request_id,
            "held_until": stamp(now + _HELD),
            "created_at": stamp(now),
        }
        return rows.begin(connection, values)

    def _taken_over(self, seen: Row) -> bool:
        now = self.call.app.clock.now()
        mine = (self.call.context.request_id, stamp(now), stamp(now + _HELD))
        with self.api.write() as connection:
            return rows.take_over(connection, seen, *mine)

    def _seen(self) -> Row | None:
        context = self.call.context
        with self.api.read() as connection:
            return rows.find(connection, context.project_id or "", context.user_id or "", self.key)

    def _first(self) -> Reply:
        """Do it. What the journal has accepted is never forgotten, even if the reply fails."""
        request_id = self.call.context.request_id
        try:
            reply = _whole(self.endpoint, self.call, self.endpoint.handler(self.call))
        except Exception:
            if not self._accepted(request_id):
                with self.api.write() as connection:
                    rows.forget(connection, request_id)
            raise
        self._keep(request_id, reply)
        return reply

    def _keep(self, request_id: str, reply: Reply) -> None:
        values = {
            "status": reply.status,
            "headers": codec.text(reply.headers),
            "body": None if reply.body is None else reply.body.decode(),
        }
        with self.api.write() as connection:
            rows.finish(connection, request_id, values)

    def _kept(self, seen: Row) -> Reply | None:
        if seen["status"] is None:
            return None
        body = None if seen["body"] is None else seen["body"].encode()
        return Reply(body, seen["status"], {**codec.loads(seen["headers"]), REPLAYED: "true"})

    def _from_journal(self, seen: Row) -> Reply | None:
        """The reply of a request that was accepted, by a process that may have died before it answered."""
        accepted = self._accepted(seen["request_id"])
        if not accepted:
            return None
        made = reply_again(self.call, accepted) if accepted[0]["verb"] == "create" else None
        reply = _whole(self.endpoint, self.call, made)
        self._keep(seen["request_id"], reply)
        reply.headers[REPLAYED] = "true"
        return reply

    def _accepted(self, request_id: str) -> list[Row]:
        """Raises CellDown: nobody knows then whether it was."""
        answers = self.call.app.store.ask(lambda connection: operations.of_request(connection, request_id)).whole()
        return next((found for found in answers.values() if found), [])


def _digest(endpoint: Endpoint, call: Call) -> str:
    asked = [call.path, endpoint.action, call.body]
    return hashlib.sha256(codec.canonical(asked)).hexdigest()


def _whole(endpoint: Endpoint, call: Call, answer: Any) -> Reply:
    """The answer as it goes out: status known, body encoded."""
    reply = answer if isinstance(answer, Reply) else Reply(answer)
    body = reply.body if reply.body is None or isinstance(reply.body, bytes) else codec.dumps(reply.body)
    return Reply(body, reply.status or endpoint.status_at(call.version), dict(reply.headers), reply.content_type)
