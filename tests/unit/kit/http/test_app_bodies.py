import io
from typing import Any

from falcon import testing

from kilonova.kit.errors import Conflict
from kilonova.kit.http.app import Application, Service
from kilonova.kit.http.endpoint import Call, Endpoint, Reply
from kilonova.kit.http.errors import image_format


def client(*endpoints: Endpoint, **options: Any) -> testing.TestClient:
    return testing.TestClient(Application(Service(name="test", endpoints=endpoints, **options)))


def refuse(_call: Call) -> None:
    raise Conflict("not <now>")


def test_a_stream_is_the_body() -> None:
    stream = Endpoint(method="GET", path="/s", handler=lambda _call: Reply(stream=iter([b"ab", b"c"])))
    assert client(stream).simulate_get("/s").content == b"abc"


def test_json_patch_is_json_and_text_is_not() -> None:
    echo = client(Endpoint(method="PATCH", path="/e", handler=lambda call: call.body))
    for media, status in (("application/x-v2.1-json-patch", 200), ("application/a+json", 200), ("text/plain", 415)):
        reply = echo.simulate_patch("/e", body='[{"op": "add"}]', headers={"Content-Type": media})
        assert reply.status_code == status, media


def test_a_chunked_body_is_read_to_the_servers_end() -> None:
    def read(call: Call) -> dict[str, int]:
        assert call.stream is not None
        return {"size": len(call.stream.read(100_000))}

    environ = {"wsgi.input": io.BytesIO(b"x" * 70_000), "wsgi.input_terminated": True}
    raw = client(Endpoint(method="PUT", path="/r", handler=read, raw_body=True))
    assert raw.simulate_put("/r", extras=environ).json == {"size": 70_000}


def test_a_refused_body_is_read_in_pieces_for_the_next_request_on_the_connection() -> None:
    sizes: list[int] = []

    class Watched(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            sizes.append(size or 0)
            return super().read(size)

    body = Watched(b"x" * 200_000)
    raw = client(Endpoint(method="PUT", path="/r", handler=refuse, raw_body=True), error_format=image_format)
    reply = raw.simulate_put("/r", extras={"wsgi.input": body}, headers={"Content-Length": "200000"})
    assert reply.status_code == 409
    assert "not &lt;now&gt;" in reply.text
    assert body.tell() == 200_000
    assert max(sizes) <= 1 << 16
