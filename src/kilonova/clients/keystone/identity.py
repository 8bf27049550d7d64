"""What compute asks of Keystone itself: does a project exist?"""

import threading
from typing import Protocol

from kilonova.clients.keystone.errors import RemoteNotFound
from kilonova.clients.keystone.neighbour import Neighbour, Request
from kilonova.kit.clock import Clock, SystemClock
from kilonova.kit.context import Context

_NOT_FOUND, _FORBIDDEN = 404, 403
_REMEMBERED_SECONDS = 600.0


class Identity(Protocol):
    """Raises the Unavailable kinds of ``clients.keystone.errors``."""

    def project_exists(self, context: Context | None, project_id: str) -> bool:
        """True also when Keystone may not tell: the caller's rights are checked elsewhere."""


class HttpIdentity:
    """Implements ``Identity``; a project that exists is remembered for ten minutes."""

    def __init__(self, neighbour: Neighbour, clock: Clock | None = None) -> None:
        self._neighbour = neighbour
        self._clock = clock or SystemClock()
        self._known: dict[str, float] = {}
        self._lock = threading.Lock()

    def project_exists(self, context: Context | None, project_id: str) -> bool:
        if "/" in project_id:  # it would be a path of its own
            return False
        now = self._clock.monotonic()
        with self._lock:
            if self._known.get(project_id, 0.0) > now:
                return True
        request = Request(
            method="GET",
            path=f"/v3/projects/{project_id}",
            context=context,
            as_user=True,
            accept=(_NOT_FOUND, _FORBIDDEN),
        )
        try:
            status = self._neighbour.call(request).status
        except RemoteNotFound:
            return False
        if status not in (_NOT_FOUND, _FORBIDDEN):
            with self._lock:
                self._known[project_id] = now + _REMEMBERED_SECONDS
        return status != _NOT_FOUND


class FakeIdentity:
    """Implements ``Identity``; every project exists, except those in ``missing``."""

    def __init__(self, missing: set[str] | None = None) -> None:
        self.missing = missing if missing is not None else set()

    def project_exists(self, context: Context | None, project_id: str) -> bool:
        del context
        return project_id not in self.missing
