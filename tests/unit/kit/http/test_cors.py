from collections.abc import Callable, Iterable
from typing import Any

import pytest

from kilonova.kit.http.cors import Cors, CorsOptions

PAGE = "https://dashboard.example.com"
OPTIONS = CorsOptions(allowed_origin=[PAGE], expose_headers=["X-Seen"])


def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Vary", "X-Auth-Token")])
    return [b"body"]


def answer(options: CorsOptions, method: str, **headers: str) -> tuple[bytes, list[tuple[str, str]]]:
    environ = {"REQUEST_METHOD": method, **{f"HTTP_{name.upper()}": text for name, text in headers.items()}}
    seen: list[tuple[str, str]] = []
    body = Cors(options).call(app, environ, lambda _status, given, *_rest: seen.extend(given))
    return b"".join(body), seen


def test_a_page_may_read_the_reply() -> None:
    body, headers = answer(OPTIONS, "GET", origin=PAGE)
    assert body == b"body"
    assert headers[2:] == [
        ("Access-Control-Allow-Origin", PAGE),
        ("Vary", "Origin"),
        ("Access-Control-Allow-Credentials", "true"),
        ("Access-Control-Expose-Headers", "X-Seen"),
    ]


@pytest.mark.parametrize("headers", [{}, {"origin": "https://elsewhere.example.com"}])
def test_others_get_the_plain_reply(headers: dict[str, str]) -> None:
    assert len(answer(OPTIONS, "GET", **headers)[1]) == 2


def test_any_origin() -> None:
    _, headers = answer(CorsOptions(allowed_origin=["*"], allow_credentials=False), "GET", origin=PAGE)
    assert ("Access-Control-Allow-Origin", PAGE) in headers
    assert "Access-Control-Allow-Credentials" not in dict(headers)


PREFLIGHTS = [
    ("PUT", "x-auth-token, content-type, openstack-api-version", True),
    ("PUT", "", True),
    ("TRACE", "x-auth-token", False),
    ("PUT", "x-strange", False),
]


@pytest.mark.parametrize(("method", "asked", "granted"), PREFLIGHTS)
def test_preflight(method: str, asked: str, granted: bool) -> None:
    body, headers = answer(
        OPTIONS,
        "OPTIONS",
        origin=PAGE,
        access_control_request_method=method,
        access_control_request_headers=asked,
    )
    found = dict(headers)
    assert body == b""
    assert found.get("Access-Control-Allow-Methods") == (method if granted else None)
    assert found.get("Access-Control-Max-Age") == ("3600" if granted else None)
