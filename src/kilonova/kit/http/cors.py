"""Cross-origin requests of browsers: ``[cors]``, with the names and defaults that OpenStack's services share."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from kilonova.kit.options import opt

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Headers = list[tuple[str, str]]
_VERSIONS = ["X-OpenStack-Nova-API-Version", "OpenStack-API-Version"]
_SIMPLE = frozenset({"accept", "accept-language", "content-language", "content-type", "cache-control", "origin"})
"""Request headers that need no permission."""


@dataclass(frozen=True)
class CorsOptions:
    """``[cors]``."""

    GROUP: ClassVar[str] = "cors"
    allowed_origin: list[str] = opt([], "origins whose pages may call the API (scheme://host[:port]); *: all")
    allow_credentials: bool = opt(True, "pages may send the credentials that a browser keeps")
    expose_headers: list[str] = opt(
        ["X-Auth-Token", "X-Openstack-Request-Id", "X-Subject-Token", "X-Service-Token", *_VERSIONS],
        "reply headers that pages may read",
    )
    max_age: int = opt(3600, "seconds for which a browser may remember a permission")
    allow_methods: list[str] = opt(["GET", "PUT", "POST", "DELETE", "PATCH"], "methods that pages may use")
    allow_headers: list[str] = opt(
        [
            "X-Auth-Token",
            "X-Openstack-Request-Id",
            "X-Identity-Status",
            "X-Roles",
            "X-Service-Catalog",
            "X-User-Id",
            "X-Tenant-Id",
            *_VERSIONS,
        ],
        "request headers that pages may send",
    )


class Cors:
    """Answers preflight requests itself, and adds to other replies what lets a browser hand them to the page."""

    def __init__(self, options: CorsOptions) -> None:
        self._options = options
        self._origins = frozenset(options.allowed_origin)
        self._methods = frozenset(options.allow_methods)
        self._headers = _SIMPLE | {name.lower() for name in options.allow_headers}

    def call(self, app: Wsgi, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """``app``'s answer, or that to a preflight request."""
        origin = environ.get("HTTP_ORIGIN")
        if not origin or not self._origins & {origin, "*"}:
            return app(environ, start_response)
        granted = self._granted(origin)
        method = environ.get("HTTP_ACCESS_CONTROL_REQUEST_METHOD")
        if environ["REQUEST_METHOD"] == "OPTIONS" and method:
            asked = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")
            start_response("204 No Content", self._permission(granted, method, asked))
            return []
        if self._options.expose_headers:
            granted.append(("Access-Control-Expose-Headers", ",".join(self._options.expose_headers)))

        def started(status: str, headers: Headers, *more: Any) -> Any:
            return start_response(status, [*headers, *granted], *more)

        return app(environ, started)

    def _granted(self, origin: str) -> Headers:
        headers = [("Access-Control-Allow-Origin", origin), ("Vary", "Origin")]
        if self._options.allow_credentials:
            headers.append(("Access-Control-Allow-Credentials", "true"))
        return headers

    def _permission(self, granted: Headers, method: str, asked: str) -> Headers:
        """Nothing where the method or a header is not allowed: the browser then refuses the request."""
        names = [name.strip() for name in asked.split(",") if name.strip()]
        if method not in self._methods or any(name.lower() not in self._headers for name in names):
            return []
        return [
            *granted,
            ("Access-Control-Max-Age", str(self._options.max_age)),
            ("Access-Control-Allow-Methods", method),
            ("Access-Control-Allow-Headers", ",".join(names)),
        ]
