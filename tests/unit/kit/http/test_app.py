import io
import json
import logging
from collections.abc import Mapping
from typing import Any

import pytest
from falcon import testing

from kilonova.kit.auth import NoAuth
from kilonova.kit.context import Context
from kilonova.kit.errors import Conflict, Forbidden, NotFound
from kilonova.kit.http.app import Application, Service
from kilonova.kit.http.endpoint import Call, Endpoint, Reply
from kilonova.kit.http.errors import image_format
from kilonova.kit.http.schema import Field, Object, Schema
from kilonova.kit.http.versions import Versioning

NUMBER = Schema(Object((Field(name="n", schema={"type": "integer"}, required=True),)))
QUERY = Schema(Object((Field(name="q", schema={"type": "array", "items": {"pattern": "^a"}}),)), where="query")
VERSIONS = Versioning("compute", (2, 1), (2, 9), "X-OpenStack-Nova-API-Version")


def client(*endpoints: Endpoint, **options: Any) -> testing.TestClient:
    return testing.TestClient(Application(Service(name="test", endpoints=endpoints, **options)))


def refuse(_call: Call) -> None:
    raise Conflict("not <now>")


def get(handler: Any = lambda _call: {}, path: str = "/x", **more: Any) -> Endpoint:
    return Endpoint(method="GET", path=path, handler=handler, **more)


def post(handler: Any = lambda call: call.body, path: str = "/x", **more: Any) -> Endpoint:
    return Endpoint(method="POST", path=path, handler=handler, **more)


def words(reply: testing.Result) -> str:
    (fault,) = reply.json.values()
    assert fault["code"] == reply.status_code
    return str(fault["message"])


def test_every_reply_has_a_request_id_of_its_own() -> None:
    known = client(get())
    ids = [reply.headers["X-OpenStack-Request-ID"] for reply in (known.simulate_get("/x"), known.simulate_get("/none"))]
    assert len(set(ids)) == 2
    assert all(ident.startswith("req-") for ident in ids)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "missing or empty"),
        (b"{", "not valid JSON"),
        (b"\xff", "not valid JSON"),
        (b"[]", "body"),
        (b"{}", "'n' is a required property"),
        (b'{"n": "x"}', "field/attribute n. Value: x"),
        (b'{"n": 1, "m": 2}', "'m'"),
        (b'{"n": "\\u0000"}', "NUL"),
        (b"9" * 400, "body"),
    ],
)
def test_bad_bodies_are_refused_in_words(body: bytes, reason: str) -> None:
    reply = client(post(body=NUMBER)).simulate_post("/x", body=body)
    assert reply.status_code == 400
    assert reason in words(reply)


def test_good_bodies_come_through() -> None:
    reply = client(post(body=NUMBER, status=202)).simulate_post("/x", body=b'{"n": 7}')
    assert (reply.status_code, reply.json) == (202, {"n": 7})


def test_large_bodies_are_refused() -> None:
    small = client(post(), max_body=10)
    assert small.simulate_post("/x", body=b" " * 11).status_code == 413
    chunked = {"wsgi.input": io.BytesIO(b" " * 50), "wsgi.input_terminated": True}
    assert small.simulate_post("/x", extras=chunked).status_code == 413


def test_bugs_answer_without_their_insides(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_call: Call) -> None:
        raise ZeroDivisionError("the password is hunter2")

    with caplog.at_level(logging.ERROR):
        reply = client(get(broken)).simulate_get("/x")
    assert reply.status_code == 500
    assert "ZeroDivisionError" in words(reply)
    assert "hunter2" not in reply.text
    assert reply.headers["X-OpenStack-Request-ID"] in caplog.text


def test_unknown_paths_and_wrong_methods() -> None:
    both = client(get(), post())
    assert both.simulate_get("/none").status_code == 404
    wrong = both.simulate_delete("/x")
    assert (wrong.status_code, wrong.headers["Allow"]) == (405, "GET, POST")
    assert client(get(), wrong_method=404).simulate_delete("/x").status_code == 404
    assert both.simulate_head("/x").status_code == 200
    assert both.simulate_get("/x/").status_code == 200
    fallback = client(get(), fallback=lambda call: {"path": call.path})
    assert fallback.simulate_get("/other").json == {"path": "/other"}


def test_tokens_are_wanted_unless_the_endpoint_is_public() -> None:
    mine = get(lambda call: call.context.user_id)
    who = client(mine, get(path="/p", public=True), auth=NoAuth(), challenge="Keystone uri=x")
    refused = who.simulate_get("/x")
    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Keystone uri=x")
    assert who.simulate_get("/none").status_code == 401
    assert who.simulate_get("/x", headers={"X-Auth-Token": "u"}).json == "u"
    assert who.simulate_get("/p").status_code == 200


class OnlyReaders:
    def allows(self, rule: str, context: Context, target: Mapping[str, Any]) -> bool:
        return rule == "read"

    def demand(self, rule: str, context: Context, target: Mapping[str, Any]) -> None:
        if not self.allows(rule, context, target):
            raise Forbidden(f"{rule} is not for you")


def test_policy_is_asked_before_the_body_is_looked_at() -> None:
    policed = client(get(rule="read"), post(rule="write", body=NUMBER), policy=OnlyReaders())
    assert policed.simulate_get("/x").status_code == 200
    refused = policed.simulate_post("/x", body=b'{"n": "bad"}')
    assert (refused.status_code, words(refused)) == (403, "write is not for you")


def test_versions_choose_the_endpoint() -> None:
    old = get(lambda call: {"old": list(call.version)}, since=(2, 1), until=(2, 4))
    new = get(lambda _call: {"new": True}, since=(2, 6))
    versioned = client(old, new, versioning=VERSIONS)
    for wanted, status in (("2.4", 200), ("2.5", 404), ("2.6", 200), ("2.10", 406), ("x", 400), ("latest", 200)):
        reply = versioned.simulate_get("/x", headers={"OpenStack-API-Version": f"compute {wanted}"})
        assert reply.status_code == status, wanted
        shown = {"2.4": "2.4", "2.5": "2.5", "2.6": "2.6", "latest": "2.9"}.get(wanted, "2.1")
        assert reply.headers["OpenStack-API-Version"] == f"compute {shown}"
        assert reply.headers["X-OpenStack-Nova-API-Version"] == shown
    assert versioned.simulate_get("/x").json == {"old": [2, 1]}


def test_actions_are_chosen_by_the_bodys_one_key() -> None:
    reboot = Schema(Object((Field(name="reboot", schema={"type": "object"}, required=True),)))
    first = post(lambda call: {"did": call.body}, action="reboot", body=reboot)
    acting = client(first, post(lambda call: {"raw": call.body}, action="lock"))

    def act(body: object) -> testing.Result:
        return acting.simulate_post("/x", body=json.dumps(body))

    assert act({"reboot": {"type": "HARD"}}).json == {"did": {"type": "HARD"}}
    assert act({"lock": None}).json == {"raw": None}
    bodies: list[tuple[object, str]] = [({"dance": 1}, "dance"), ({}, "one key"), ([], "one key")]
    bodies.append(({"lock": 1, "b": 2}, "one key"))
    for body, reason in bodies:
        refused = act(body)
        assert refused.status_code == 400
        assert reason in words(refused)


def test_queries_are_held_to_their_schema() -> None:
    listed = get(lambda call: {k: list(v) for k, v in call.query.items()}, query=QUERY, strict_query=(2, 5))
    lax = client(listed, versioning=VERSIONS)
    assert lax.simulate_get("/x?q=a1&q=a2&z=1").json == {"q": ["a1", "a2"]}
    assert lax.simulate_get("/x?q=b").status_code == 400
    strict = lax.simulate_get("/x?z=1", headers={"OpenStack-API-Version": "compute 2.5"})
    assert (strict.status_code, "z" in words(strict)) == (400, True)
    for url in ("/x?q=a%00", "/x?%00"):
        assert client(get()).simulate_get(url).status_code == 400


def test_replies_of_every_form() -> None:
    def own(_call: Call) -> Reply:
        return Reply(b"raw", status=203, headers={"ETag": "e"}, content_type="text/plain")

    reply = client(get(own)).simulate_get("/x")
    assert (reply.status_code, reply.text, reply.headers["ETag"]) == (203, "raw", "e")
    empty = client(get(lambda _call: None, status=204)).simulate_get("/x")
    assert (empty.status_code, empty.content, "Content-Type" in empty.headers) == (204, b"", False)


def test_errors_of_handlers_have_their_status_and_words() -> None:
    def absent(_call: Call) -> None:
        raise NotFound("Thing 1 could not be found.")

    reply = client(get(absent)).simulate_get("/x")
    assert reply.json == {"itemNotFound": {"code": 404, "message": "Thing 1 could not be found."}}


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
