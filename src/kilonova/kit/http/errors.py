"""Kinds of errors to HTTP statuses: the one table, and the body formats of the OpenStack services."""

import html
from typing import Any, Protocol

from kilonova.kit import codec
from kilonova.kit.errors import KilonovaError, Kind
from kilonova.kit.http.schema import InvalidInput
from kilonova.kit.http.versions import VersionNotOffered

STATUS: dict[Kind, int] = {
    "invalid": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "over_quota": 403,
    "not_found": 404,
    "conflict": 409,
    "gone": 410,
    "internal": 500,
    "unsupported": 501,
    "unavailable": 503,
}

TITLES = {
    300: "Multiple Choices",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    409: "Conflict",
    410: "Gone",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    416: "Range Not Satisfiable",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}


class HttpError(KilonovaError):
    """An error that has a status of its own because it is about HTTP itself (405, 413, 415 …)."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}


def status_of(error: KilonovaError) -> int:
    """The status of an error."""
    if isinstance(error, HttpError):
        return error.status
    if isinstance(error, VersionNotOffered):
        return 406
    return STATUS[error.kind]


class ErrorFormat(Protocol):
    """Words an error the way a service's clients expect it: ``(content type, body)``."""

    def __call__(self, status: int, error: KilonovaError, request_id: str, version: Any) -> tuple[str, bytes]: ...


_COMPUTE_NAMES = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    429: "overLimit",
    501: "notImplemented",
    503: "serviceUnavailable",
}


def compute_format(status: int, error: KilonovaError, request_id: str, version: Any) -> tuple[str, bytes]:
    """``{"itemNotFound": {"code": 404, "message": …}}``."""
    del request_id, version
    name = _COMPUTE_NAMES.get(status, "computeFault")
    return "application/json", codec.dumps({name: {"code": status, "message": str(error)}})


def placement_format(status: int, error: KilonovaError, request_id: str, version: Any) -> tuple[str, bytes]:
    """``{"errors": [{"status", "title", "detail", "request_id"[, "code"]}]}``.

    Clients (``osc-placement``) show the last line of ``detail``, and know a schema's refusal by its first words.
    """
    words = f"JSON does not validate: {error}" if isinstance(error, InvalidInput) else str(error)
    title = TITLES.get(status, "Error")
    entry: dict[str, Any] = {
        "status": status,
        "request_id": request_id,
        "detail": f"{title}\n\n {words}  ",
        "title": title,
    }
    if version is None or version >= (1, 23):
        entry["code"] = error.code or "placement.undefined_code"
    if isinstance(error, VersionNotOffered):
        entry["min_version"], entry["max_version"] = error.fields["low"], error.fields["high"]
    return "application/json", codec.dumps({"errors": [entry]})


def identity_format(status: int, error: KilonovaError, request_id: str, version: Any) -> tuple[str, bytes]:
    """``{"error": {"code", "title", "message"}}``."""
    del request_id, version
    title = TITLES.get(status, "Error")
    return "application/json", codec.dumps({"error": {"code": status, "title": title, "message": str(error)}})


def image_format(status: int, error: KilonovaError, request_id: str, version: Any) -> tuple[str, bytes]:
    """A small HTML page, as the image API has always answered; its clients take the text out of it."""
    del request_id, version
    title = f"{status} {TITLES.get(status, 'Error')}"
    body = f"  <h1>{title}</h1>\n  {html.escape(str(error))}<br /><br />\n\n"
    page = f"<html>\n <head>\n  <title>{title}</title>\n </head>\n <body>\n{body}\n </body>\n</html>"
    return "text/html; charset=UTF-8", page.encode()


def network_format(status: int, error: KilonovaError, request_id: str, version: Any) -> tuple[str, bytes]:
    """``{"NeutronError": {"type", "message", "detail"}}``."""
    del status, request_id, version
    body = {"NeutronError": {"type": type(error).__name__, "message": str(error), "detail": ""}}
    return "application/json", codec.dumps(body)
