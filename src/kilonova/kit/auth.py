"""Tokens to callers: keystonemiddleware validates, an in-process cache remembers, noauth2 serves labs and tests."""

import dataclasses
import hashlib
import io
import math
import threading
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

from kilonova.kit import metrics
from kilonova.kit.clock import Clock, SystemClock
from kilonova.kit.context import Context
from kilonova.kit.errors import Unauthorized, Unavailable
from kilonova.kit.http.app import Authenticator
from kilonova.kit.options import Configuration
from kilonova.kit.sessions import ANSWER_SECONDS
from kilonova.kit.threads_only import without_eventlet

_FIELDS = {
    "user_id": "X-USER-ID",
    "user_name": "X-USER-NAME",
    "project_id": "X-PROJECT-ID",
    "project_name": "X-PROJECT-NAME",
    "domain_id": "X-DOMAIN-ID",
    "user_domain_id": "X-USER-DOMAIN-ID",
    "project_domain_id": "X-PROJECT-DOMAIN-ID",
    "system_scope": "OPENSTACK-SYSTEM-SCOPE",
}
T = TypeVar("T")
_Key = tuple[str, str | None]
"""A token, and the service token beside it."""
_REFUSED_SECONDS = 10.0
"""How long a refusal is remembered: a Keystone that lags behind its database may think otherwise soon."""
_VALIDATIONS_A_SECOND = 100.0
"""By one process. Who comes with tokens nobody has seen, made up or not, waits once it is more than that …"""
_PATIENCE_SECONDS = 5.0
"""… so long at most."""
_LOOKED_UP = metrics.counter("kilonova_token_cache_lookups", "Tokens looked for in this process's cache", "result")
_CACHE = "kilonova.token_cache"
"""Where the middleware finds the cache that the caller brings."""


class NoAuth:
    """``auth_strategy = noauth2``: the token is ``user[:project]``; ``admin`` is admin; ``x-roles`` overrides."""

    ADMIN: ClassVar[tuple[str, ...]] = ("admin", "manager", "member", "reader")

    def authenticate(self, headers: Mapping[str, str], request_id: str) -> Context:
        """Raises Unauthorized without a token."""
        token = headers.get("X-AUTH-TOKEN")
        if not token:
            raise Unauthorized
        user, _, project = token.partition(":")
        named = headers.get("X-ROLES")
        roles = (
            tuple(r.strip() for r in named.split(",") if r.strip())
            if named
            else (self.ADMIN if user == "admin" else ("member", "reader"))
        )
        service = ("service",) if headers.get("X-SERVICE-TOKEN") else ()
        return Context(
            request_id=request_id,
            user_id=user,
            user_name=user,
            project_id=project or user,
            project_name=project or user,
            roles=roles,
            service_roles=service,
            token=token,
            token_key=token,
        )


class KeystoneAuth:
    """Validates through keystonemiddleware, configured by ``[keystone_authtoken]``."""

    def __init__(self, configuration: Configuration) -> None:
        from keystoneauth1.exceptions import ClientException  # noqa: PLC0415  # comes with the next

        without_eventlet()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "'cgi' is deprecated", DeprecationWarning)  # webob's, not ours to mend
            from keystonemiddleware import auth_token, opts  # noqa: PLC0415  # half a second that noauth spares
        self._failure = ClientException
        self._seen = threading.local()
        for section, options in opts.list_auth_token_opts():
            configuration.register_oslo(options, section)
            configuration.oslo.set_default("http_connect_timeout", int(ANSWER_SECONDS), section)
        self._middleware = auth_token.AuthProtocol(
            self._capture,
            {"oslo_config_config": configuration.oslo, "delay_auth_decision": False, "cache": _CACHE},
        )
        # Without memcached the middleware keeps an unbounded, deprecated cache of its own, which CachedAuth replaces.
        memcached = configuration.oslo.keystone_authtoken.memcached_servers
        self.cache_seconds = float(configuration.oslo.keystone_authtoken.token_cache_time)
        self._extra: dict[str, Any] = {} if memcached else {_CACHE: _NoCache()}

    def _capture(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        self._seen.environ = environ
        start_response("204 No Content", [])
        return []

    def authenticate(self, headers: Mapping[str, str], request_id: str) -> Context:
        """Raises Unauthorized; Unavailable when Keystone does not answer."""
        context, _ = self.validate(headers, request_id)
        return context

    def validate(self, headers: Mapping[str, str], request_id: str) -> tuple[Context, float | None]:
        """The caller, and when the token expires (seconds since the epoch)."""
        token = headers.get("X-AUTH-TOKEN")
        if not token:
            raise Unauthorized
        status, environ = self._ask(token, headers.get("X-SERVICE-TOKEN"))
        if environ is None:
            if status.startswith("503"):
                raise Unavailable("The identity service does not answer; the token cannot be validated now")
            raise Unauthorized
        return _context_of(environ, token, request_id), _expiry(environ)

    def _ask(self, token: str, service_token: str | None) -> tuple[str, dict[str, Any] | None]:
        environ = _bare_environ()
        environ.update(self._extra)
        environ["HTTP_X_AUTH_TOKEN"] = token
        if service_token:
            environ["HTTP_X_SERVICE_TOKEN"] = service_token
        status: list[str] = []
        self._seen.environ = None
        try:
            self._middleware(environ, lambda line, _headers, _exc=None: status.append(line))
        except self._failure as error:
            raise Unavailable(f"The token cannot be validated; check [keystone_authtoken]: {error}") from error
        return (status[-1] if status else "401"), self._seen.environ


class _NoCache:
    """A cache in the middleware's sense that keeps nothing."""

    def get(self, _key: str) -> None:
        return None

    def set(self, _key: str, _value: bytes, time: float | None = None) -> None:
        del time


def _bare_environ() -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


def _context_of(environ: Mapping[str, Any], token: str, request_id: str) -> Context:
    def read(name: str) -> str | None:
        return environ.get("HTTP_" + name.replace("-", "_")) or None

    def words(name: str) -> tuple[str, ...]:
        return tuple(w.strip() for w in (read(name) or "").split(",") if w.strip())

    return Context(
        request_id=request_id,
        roles=words("X-ROLES"),
        service_roles=words("X-SERVICE-ROLES") if read("X-SERVICE-ROLES") else (),
        token=token,
        token_key=hashlib.sha256(token.encode()).hexdigest(),
        **{name: read(header) for name, header in _FIELDS.items()},
    )


def _expiry(environ: Mapping[str, Any]) -> float | None:
    info = (environ.get("keystone.token_info") or {}).get("token", {})
    text = info.get("expires_at")
    if not text:
        return None
    return datetime.fromisoformat(text).timestamp()


class CachedAuth:
    """Remembers validated tokens for ``seconds`` or until they expire, whichever comes first.

    Callers cannot make Keystone busy with one token: a refusal is remembered, too, for a short while, and those who
    come with a token that is being validated wait for that. What was refused cannot push out what is valid.
    Nor with many tokens: no more are validated in a second than ``_Pace`` lets pass.
    """

    def __init__(self, inner: KeystoneAuth, seconds: float, size: int = 10_000, clock: Clock | None = None) -> None:
        self._inner = inner
        self._pace = _Pace(_VALIDATIONS_A_SECOND, clock or SystemClock())
        self._seconds = seconds
        self._known = _Memory[Context](size)
        self._refused = _Memory[bool](size)
        self._running: dict[_Key, Future[Context]] = {}
        self._lock = threading.Lock()

    def authenticate(self, headers: Mapping[str, str], request_id: str) -> Context:
        """Raises Unauthorized, Unavailable."""
        token = headers.get("X-AUTH-TOKEN")
        if not token:
            raise Unauthorized
        key = (token, headers.get("X-SERVICE-TOKEN"))
        found = self._known.get(key)
        if found is not None:
            _LOOKED_UP.add("hit")
            return _renumbered(found, request_id)
        if self._refused.get(key) is not None:
            raise Unauthorized
        _LOOKED_UP.add("miss")
        mine: Future[Context] = Future()
        with self._lock:
            running = self._running.setdefault(key, mine)
        if running is not mine:
            return _renumbered(running.result(), request_id)
        try:
            mine.set_result(self._validated(key, headers, request_id))
        except BaseException as error:  # noqa: BLE001  # those who wait raise it too, and this thread right below
            mine.set_exception(error)
        with self._lock:
            del self._running[key]
        return mine.result()

    def _validated(self, key: _Key, headers: Mapping[str, str], request_id: str) -> Context:
        self._pace.wait()
        now = time.time()
        try:
            context, expiry = self._inner.validate(headers, request_id)
        except Unauthorized:
            self._refused.put(key, value=True, until=now + min(self._seconds, _REFUSED_SECONDS))
            raise
        self._known.put(key, context, min(now + self._seconds, expiry or math.inf))
        return context


class _Pace:
    """So many a second, after as many at once; who comes beyond that waits for a turn, or is sent away."""

    def __init__(self, rate: float, clock: Clock) -> None:
        self._between = 1 / rate
        self._clock = clock
        self._turn = -math.inf
        """When the latest of a steady stream would have its turn."""
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Raises Unavailable."""
        with self._lock:
            now = self._clock.monotonic()
            turn = max(self._turn, now - 1) + self._between
            if turn - now > _PATIENCE_SECONDS:
                raise Unavailable("Too many tokens are waiting to be validated; try again later")
            self._turn = turn
        if turn > now:
            self._clock.sleep(turn - now)


class _Memory(Generic[T]):
    """The latest of what was found, each until its time."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._found: OrderedDict[_Key, tuple[float, T]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: _Key) -> T | None:
        found = self._found.get(key)
        return found[1] if found is not None and found[0] > time.time() else None

    def put(self, key: _Key, value: T, until: float) -> None:
        with self._lock:
            self._found[key] = (until, value)
            self._found.move_to_end(key)
            while len(self._found) > self._size:
                self._found.popitem(last=False)


def _renumbered(context: Context, request_id: str) -> Context:
    return dataclasses.replace(context, request_id=request_id)


def authenticator(configuration: Configuration, strategy: str, cache_seconds: float | None = None) -> Authenticator:
    """The authenticator that ``[api] auth_strategy`` names.

    Tokens are remembered for ``cache_seconds``, or for what ``[keystone_authtoken] token_cache_time`` says.
    """
    if strategy == "noauth2":
        return NoAuth()
    keystone = KeystoneAuth(configuration)
    return CachedAuth(keystone, keystone.cache_seconds if cache_seconds is None else cache_seconds)
