import io
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import requests

from kilonova.kit.http.in_process import WsgiAdapter
from kilonova.kit.http.scripted import ScriptedApp, Told

URL = "http://far.local"


def session(app: Callable[..., Iterable[bytes]]) -> requests.Session:
    made = requests.Session()
    made.mount(URL, WsgiAdapter(app))
    return made


def test_request_arrives_as_sent() -> None:
    app = ScriptedApp(Told(201, {"ok": True}))

    reply = session(app).post(f"{URL}/a%20b?x=1&x=2&empty=", json={"name": "é"}, headers={"X-Auth-Token": "t"})

    (asked,) = app.asked
    assert (asked.method, asked.path) == ("POST", "/a b")
    assert asked.query == (("x", "1"), ("x", "2"), ("empty", ""))
    assert asked.json == {"name": "é"}
    assert asked.headers["X-AUTH-TOKEN"] == "t"
    assert asked.headers["CONTENT-TYPE"] == "application/json"
    assert (reply.status_code, reply.json()) == (201, {"ok": True})


def test_file_is_sent_as_body() -> None:
    app = ScriptedApp()

    session(app).put(f"{URL}/file", data=io.BytesIO(b"0123456789"))

    assert app.asked[0].content == b"0123456789"


def test_body_is_read_piece_by_piece_and_closed() -> None:
    taken: list[int] = []

    def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        try:
            for number in range(3):
                taken.append(number)
                yield b"x" * 10
        finally:
            taken.append(-1)

    reply = session(app).get(f"{URL}/big", stream=True)
    pieces = reply.iter_content(10)

    assert next(pieces) == b"x" * 10
    assert taken == [0]
    reply.close()
    assert taken == [0, -1]


def test_broken_application_is_a_500(caplog: pytest.LogCaptureFixture) -> None:
    def app(_environ: dict[str, Any], _start_response: Callable[..., Any]) -> Iterable[bytes]:
        raise ZeroDivisionError

    assert session(app).get(f"{URL}/").status_code == 500
    assert "ZeroDivisionError" in caplog.text
