"""The WSGI application that a list of endpoints makes.

Order of one request: request id → token → version → endpoint → policy → query and body → handler → reply.
Every error leaves as the service's own error document, with a request id, and never as a traceback.
"""

import contextlib
import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol, cast

import falcon

from kilonova.kit import codec, logs, metrics
from kilonova.kit.context import Context, new_request_id
from kilonova.kit.errors import Invalid, KilonovaError, NotFound
from kilonova.kit.http.cors import Cors
from kilonova.kit.http.endpoint import Call, Endpoint, Reply
from kilonova.kit.http.errors import ErrorFormat, HttpError, compute_format, status_of
from kilonova.kit.http.versions import Version, Versioning

LOG = logging.getLogger(__name__)
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")
_REQUESTS = metrics.timer("kilonova_http_request_seconds", "Requests answered", "service", "method", "route", "code")
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_UUID = re.compile(r"[0-9a-f-]{32,36}")
_REQUEST_ID = re.compile(r"req-[0-9a-f-]{36}")
_PIECE = 1 << 16
_UNVERSIONED: Version = (0, 0)
_BODILESS = frozenset({204, 304})
"""No Content and Not Modified have neither type nor length."""


class Authenticator(Protocol):
    """Turns request headers into a caller."""

    def authenticate(self, headers: Mapping[str, str], request_id: str) -> Context:
        """Raises Unauthorized, Unavailable."""


class PolicyCheck(Protocol):
    """Answers policy questions."""

    def allows(self, rule: str, context: Context, target: Mapping[str, Any]) -> bool: ...

    def demand(self, rule: str, context: Context, target: Mapping[str, Any]) -> None:
        """Raises Forbidden."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """What makes one service's HTTP face differ from another's."""

    name: str
    endpoints: Sequence[Endpoint]
    app: Any = None
    """Handed to every handler as ``call.app``."""
    auth: Authenticator | None = None
    policy: PolicyCheck | None = None
    versioning: Versioning | None = None
    error_format: ErrorFormat = compute_format
    request_id_headers: tuple[str, ...] = ("X-OpenStack-Request-ID",)
    wrong_method: int = 405
    """Status for a known path with a method it lacks: 405 with Allow, or 404."""
    max_body: int = 1 << 20
    """Bytes; a larger body is 413."""
    rewrite: Callable[[dict[str, Any]], None] | None = None
    """May change the WSGI environment first (version prefixes, project ids in paths)."""
    admit: Callable[[Mapping[str, Any], Context], None] | None = None
    """Looks at the (rewritten) WSGI environment and the authenticated caller; may refuse by raising."""
    around: Callable[[Endpoint, Call], Any] = lambda endpoint, call: endpoint.handler(call)
    """Calls the handler, or answers in its place (an earlier request's reply)."""
    fallback: Callable[[Call], Any] | None = None
    """Answers paths that no endpoint has; None: 404."""
    challenge: str | None = None
    """Value of WWW-Authenticate on 401."""
    cors: Cors | None = None
    """What pages of other origins may do; None: nothing."""
    reply_headers: tuple[tuple[str, str], ...] = field(default=())
    subject: str = ""
    """The path's parameter that names the server which a request is about, for logs."""


class Application:
    """WSGI callable."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._falcon = falcon.App(media_type="application/json")
        self._falcon.req_options.strip_url_path_trailing_slash = True
        self._falcon.req_options.keep_blank_qs_values = True
        self._falcon.req_options.auto_parse_qs_csv = False
        self._falcon.add_error_handler(Exception, self._falcon_error)
        for path, endpoints in _by_path(service.endpoints).items():
            self._falcon.add_route(path, _resource(self, endpoints))
        self._falcon.add_sink(self._sink, "/")

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if self.service.rewrite is not None:
            self.service.rewrite(environ)
        if self.service.cors is not None:
            return self.service.cors.call(self._falcon, environ, start_response)
        result: Iterable[bytes] = self._falcon(environ, start_response)
        return result

    def _sink(self, req: falcon.Request, resp: falcon.Response, **_params: str) -> None:
        _Exchange(self, req, resp, ()).run({})

    def _falcon_error(self, req: falcon.Request, resp: falcon.Response, error: Any, params: Any) -> None:
        del params
        exchange = _Exchange(self, req, resp, ())
        if isinstance(error, falcon.HTTPError):
            exchange.fail(HttpError(error.status_code, error.description or error.title or "Bad request"))
        else:
            exchange.crash(error)


def _by_path(endpoints: Sequence[Endpoint]) -> dict[str, list[Endpoint]]:
    found: dict[str, list[Endpoint]] = {}
    for endpoint in endpoints:
        found.setdefault(endpoint.path, []).append(endpoint)
    return found


def _resource(application: Application, endpoints: Sequence[Endpoint]) -> Any:
    """A Falcon resource that answers every method, so that our own rules for wrong ones hold."""

    def respond(_self: Any, req: falcon.Request, resp: falcon.Response, **params: str) -> None:
        _Exchange(application, req, resp, endpoints).run(params)

    names = {f"on_{method.lower()}": respond for method in _METHODS}
    return type("Resource", (), names)()


class _Exchange:
    """One request and its reply."""

    def __init__(
        self,
        application: Application,
        req: falcon.Request,
        resp: falcon.Response,
        endpoints: Sequence[Endpoint],
    ) -> None:
        self.service = application.service
        self.req = req
        self.resp = resp
        self.endpoints = endpoints
        self.version: Version | None = None
        self.status = 0
        self.endpoint = endpoints[0] if endpoints else _NOWHERE
        inbound = req.get_header("X-OpenStack-Request-ID") or ""
        self.inbound_id = inbound if _REQUEST_ID.fullmatch(inbound) else None
        self.request_id = new_request_id()

    def run(self, params: Mapping[str, str]) -> None:
        """Answer, whatever happens."""
        before = logs.begin(request_id=self.request_id, global_request_id=self.inbound_id)
        began = time.perf_counter()
        try:
            self._answer(params)
        except KilonovaError as error:
            self.fail(error)
        except Exception as error:  # noqa: BLE001  # the outermost frame: a bug must still answer
            self.crash(error)
        finally:
            self._answered(time.perf_counter() - began)
            logs.end(before)

    def _answered(self, seconds: float) -> None:
        """Reads are told at debug level: they are many, and change nothing."""
        if _REQUESTS.on:
            route = f"{self.endpoint.path}#{self.endpoint.action}" if self.endpoint.action else self.endpoint.path
            _REQUESTS.observe(seconds, self.service.name, self.req.method, route, str(self.status))
        level = logging.DEBUG if self.req.method in _READS else logging.INFO
        if LOG.isEnabledFor(level):
            action = f" {self.endpoint.action}" if self.endpoint.action else ""
            told = (self.service.name, self.req.method, self.endpoint.path, action, self.status, seconds)
            LOG.log(level, "%s: %s %s%s -> %s in %.3f s", *told)

    def fail(self, error: KilonovaError) -> None:
        """Reply with an error."""
        status = status_of(error)
        if status != 413:  # noqa: PLR2004  # too large: the connection is closed instead
            self._drain()
        if status >= 500:  # noqa: PLR2004  # server errors
            LOG.warning("%s %s -> %s: %s", self.req.method, self.req.path, status, error)
        if error.told is not None:
            error = HttpError(status, error.told)
        content_type, body = self.service.error_format(status, error, self.request_id, self.version)
        self._send(status, content_type, body)
        for name, value in getattr(error, "headers", {}).items():
            self.resp.set_header(name, value)
        if status == 401 and self.service.challenge:  # noqa: PLR2004  # Unauthorized
            self.resp.set_header("WWW-Authenticate", self.service.challenge)

    def crash(self, error: Exception) -> None:
        """Reply to a bug: logged with its traceback, told without."""
        LOG.error("%s %s [%s]", self.req.method, self.req.path, self.request_id, exc_info=error)
        self.fail(
            KilonovaError(
                "Unexpected API Error. Please report this with the request id and the service's log. "
                f"{type(error).__name__}"
            )
        )

    def _answer(self, params: Mapping[str, str]) -> None:
        headers = _headers(self.req)
        candidates = [e for e in self.endpoints if e.method == self.req.method] or self._head_as_get()
        public = bool(candidates) and all(e.public for e in candidates)
        if public and self.service.versioning:
            self.version = self.service.versioning.minimum
        context = self._context(headers, public=public)
        self._tell_who(context, params)
        if self.service.admit is not None and not public:
            self.service.admit(self.req.env, context)
        self.version = self._negotiate(headers)
        call = self._call(context, params, headers)
        if not candidates:
            self._no_endpoint(call)
            return
        self.endpoint = endpoint = self._select(candidates, call)
        self._check(endpoint, call)
        self._reply(endpoint, call, self.service.around(endpoint, call))

    def _tell_who(self, context: Context, params: Mapping[str, str]) -> None:
        subject = params.get(self.service.subject, "")
        logs.add(
            user=context.user_id,
            project=context.project_id,
            system_scope=context.system_scope,
            user_domain=context.user_domain_id,
            project_domain=context.project_domain_id,
            server=subject if _UUID.fullmatch(subject) else None,
        )

    def _head_as_get(self) -> list[Endpoint]:
        return [e for e in self.endpoints if e.method == "GET"] if self.req.method == "HEAD" else []

    def _context(self, headers: Mapping[str, str], *, public: bool) -> Context:
        if public or self.service.auth is None:
            return Context(request_id=self.request_id)
        return self.service.auth.authenticate(headers, self.request_id)

    def _negotiate(self, headers: Mapping[str, str]) -> Version | None:
        if self.service.versioning is None:
            return None
        if self.req.env.get("kilonova.legacy"):
            return self.service.versioning.minimum
        return self.service.versioning.negotiate(headers)

    def _call(self, context: Context, params: Mapping[str, str], headers: Mapping[str, str]) -> Call:
        env = self.req.env
        policy = self.service.policy
        call = Call(
            context=context,
            version=self.version or _UNVERSIONED,
            params=params,
            query=_query(self.req),
            body=None,
            headers=headers,
            base_url=self.req.prefix + env.get("kilonova.prefix", ""),
            app=self.service.app,
            path=self.req.path,
            sender=str(env.get("REMOTE_ADDR") or ""),
            legacy_v2=bool(env.get("kilonova.legacy")),
        )
        if policy is not None:
            call.allow = lambda rule, target: policy.allows(rule, context, target)
            call.demand = lambda rule, target: policy.demand(rule, context, target)
        return call

    def _no_endpoint(self, call: Call) -> None:
        if self.endpoints:
            allowed = ", ".join(sorted({e.method for e in self.endpoints}))
            if self.service.wrong_method == 405:  # noqa: PLR2004  # Method Not Allowed
                message = f"The method {self.req.method} is not allowed for this resource."
                raise HttpError(405, message, {"Allow": allowed})
            raise NotFound("The resource could not be found.")
        if self.service.fallback is None:
            raise NotFound("The resource could not be found.")
        self._reply(_ANY, call, self.service.fallback(call))

    def _select(self, candidates: Sequence[Endpoint], call: Call) -> Endpoint:
        if any(e.raw_body for e in candidates):
            call.stream = self._stream()
        else:
            call.body = self._body()
        if any(e.action for e in candidates):
            candidates = _by_action(candidates, call)
        for endpoint in candidates:
            if endpoint.lives(call.version):
                return endpoint
        raise NotFound("The resource could not be found.")

    def _drain(self) -> None:
        """Read what is left of the body, in pieces: the server below would read it into memory at once."""
        stream = self._stream()
        with contextlib.suppress(OSError, ValueError):
            while stream.read(_PIECE):
                pass

    def _stream(self) -> BinaryIO:
        """The body as far as it goes; a chunked one has no length, its end is the server's to find."""
        terminated = self.req.env.get("wsgi.input_terminated") and self.req.content_length is None
        return cast("BinaryIO", self.req.stream if terminated else self.req.bounded_stream)

    def _body(self) -> Any:
        if self.req.method in ("GET", "HEAD", "DELETE"):
            return None
        length = self.req.content_length or 0
        if length > self.service.max_body:
            raise HttpError(413, f"Request body of {length} bytes exceeds the limit of {self.service.max_body} bytes")
        data = self._stream().read(self.service.max_body + 1)
        if not data:
            return None
        if len(data) > self.service.max_body:
            raise HttpError(413, f"Request body exceeds the limit of {self.service.max_body} bytes")
        media = (self.req.content_type or "application/json").split(";")[0].strip().lower()
        if not media.endswith(("json", "json-patch")):
            raise HttpError(415, f"Unsupported Content-Type {media}; use application/json")
        try:
            body = codec.loads(data)
        except ValueError as error:
            raise Invalid(f"The request body is not valid JSON: {error}") from None
        if b"\\u0000" in data and (where := _nul_place(body)) is not None:
            raise Invalid(f"Invalid input for field/attribute {where}. It has a NUL character")
        return body

    def _check(self, endpoint: Endpoint, call: Call) -> None:
        if endpoint.rule is not None and self.service.policy is not None:
            target = {"project_id": call.context.project_id, "user_id": call.context.user_id}
            self.service.policy.demand(endpoint.rule, call.context, target)
        if endpoint.query is not None:
            strict = endpoint.strict_query is not None and call.version >= endpoint.strict_query
            if not strict:
                known = endpoint.query.known(call.version)
                call.query = {k: v for k, v in call.query.items() if k in known}
            endpoint.query.validate(call.query, call.version)
        if endpoint.body is not None:
            if call.body is None and endpoint.action is None:
                raise Invalid("The request body is missing or empty; it must be a JSON object")
            if call.legacy_v2:
                call.body = endpoint.body.trimmed(call.body, call.version)
            endpoint.body.validate(call.body, call.version)
            if endpoint.action is not None:
                call.body = call.body[endpoint.action]

    def _reply(self, endpoint: Endpoint, call: Call, answer: Any) -> None:
        reply = answer if isinstance(answer, Reply) else Reply(answer)
        status = reply.status or endpoint.status_at(call.version)
        if reply.stream is not None:
            self._send(status, reply.content_type, b"")
            self.resp.data = None  # data, even empty, would win over the stream
            self.resp.stream = reply.stream
        elif reply.body is None:
            self._send(status, reply.content_type, b"")
        else:
            data = reply.body if isinstance(reply.body, bytes) else codec.dumps(reply.body)
            self._send(status, reply.content_type, data)
        for name, value in reply.headers.items():
            self.resp.set_header(name, value)

    def _send(self, status: int, content_type: str, body: bytes) -> None:
        resp = self.resp
        self.status = resp.status = status
        if body:
            resp.content_type = content_type
            resp.data = body
        elif status not in _BODILESS:
            resp.content_type = content_type
            resp.data = b""
        else:
            resp.data = None
        for name in self.service.request_id_headers:
            resp.set_header(name, self.request_id)
        if self.service.versioning and self.version and not self.req.env.get("kilonova.legacy"):
            for name, value in self.service.versioning.reply_headers(self.version):
                resp.set_header(name, value)
        elif self.service.versioning and not self.req.env.get("kilonova.legacy"):
            for name, value in self.service.versioning.reply_headers(self.service.versioning.minimum):
                resp.set_header(name, value)
        for name, value in self.service.reply_headers:
            resp.set_header(name, value)


_ANY = Endpoint(method="GET", path="/", handler=lambda _call: None)
_NOWHERE = Endpoint(method="GET", path="(unknown path)", handler=lambda _call: None)


def _headers(req: falcon.Request) -> dict[str, str]:
    return dict(req.headers)


def _query(req: falcon.Request) -> dict[str, list[str]]:
    if "\x00" in req.path or "%00" in req.query_string:
        # No name has it, and PostgreSQL refuses it as text.
        raise Invalid("The URL has a NUL character")
    raw = falcon.uri.parse_query_string(req.query_string, keep_blank=True, csv=False)
    return {k: v if isinstance(v, list) else [v] for k, v in raw.items()}


def _nul_place(value: Any, path: str = "") -> str | None:
    """Where in a document a text has a NUL; None when none has."""
    if isinstance(value, str):
        return (path or "body") if "\0" in value else None
    if isinstance(value, dict):
        if any("\0" in key for key in value):
            return path or "body"
        inner: Any = value.items()
    else:
        inner = enumerate(value) if isinstance(value, list) else ()
    places = (_nul_place(entry, f"{path}/{key}".lstrip("/")) for key, entry in inner)
    return next((place for place in places if place is not None), None)


def _by_action(candidates: Sequence[Endpoint], call: Call) -> list[Endpoint]:
    body = call.body
    if not isinstance(body, dict) or len(body) != 1:
        raise Invalid("The request body must be an object with exactly one key, the name of the action")
    name = next(iter(body))
    found = [e for e in candidates if e.action == name]
    if not found:
        raise Invalid(f"There is no such action: {name}")
    call.body = body if found[0].body is not None else body[name]
    return found
