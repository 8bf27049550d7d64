import io
import socket
from typing import Any

import pytest

from kilonova.clients.cinder.http import HttpCinder
from kilonova.clients.glance.http import HttpGlance
from kilonova.clients.keystone.errors import (
    BadCredentials,
    NeighbourDown,
    NeighbourFailed,
    NoEndpoint,
    RemoteNotFound,
    RemoteUnauthorized,
)
from kilonova.clients.keystone.neighbour import Neighbour, Request
from kilonova.clients.keystone.neighbours import neighbour
from kilonova.clients.neutron.http import HttpNetworkApi
from kilonova.kit.clock import ManualClock
from kilonova.kit.context import Context
from kilonova.kit.http.scripted import ScriptedApp, Told
from kilonova.kit.options import from_mapping
from kilonova.kit.sessions import Sessions

URL = "http://neutron.local"
IDENTITY = "http://id.local"
ADMIN = {"auth_type": "admin_token", "endpoint": URL, "token": "service-token"}
PASSWORD = {
    "auth_type": "v3password",
    "auth_url": f"{IDENTITY}/v3",
    "username": "nova",
    "user_domain_id": "default",
    "password": "p",
    "project_name": "service",
    "project_domain_id": "default",
}


def to(app: ScriptedApp, **sections: Any) -> Neighbour:
    configuration = from_mapping({"neutron": {**ADMIN}, **sections})
    return neighbour(Sessions(configuration, {URL: app}), "neutron", ManualClock())


def token(expires: str = "2099-01-01T00:00:00Z", urls: tuple[tuple[str, str], ...] = (("internal", URL),)) -> Told:
    endpoints = [{"interface": i, "url": u, "region": "R", "region_id": "R", "id": u} for i, u in urls]
    catalog = [{"type": "network", "name": "neutron", "id": "n", "endpoints": endpoints}]
    body = {
        "expires_at": expires,
        "issued_at": "2026-01-01T00:00:00Z",
        "methods": ["password"],
        "catalog": catalog,
        "user": {"id": "u", "name": "nova", "domain": {"id": "default"}},
    }
    return Told(201, {"token": body}, {"X-Subject-Token": "issued"})


def with_keystone(identity: ScriptedApp, app: ScriptedApp, **neutron: Any) -> Neighbour:
    configuration = from_mapping({"neutron": {**PASSWORD, **neutron}})
    return neighbour(Sessions(configuration, {URL: app, IDENTITY: identity}), "neutron", ManualClock())


def test_service_call_carries_the_service_token_and_the_request_id() -> None:
    app = ScriptedApp(Told(200, {"ports": []}))
    context = Context(token="user-token")

    assert to(app).get("/v2.0/ports", [("id", "a"), ("id", "b c")], context=context) == {"ports": []}

    (asked,) = app.asked
    assert asked.query == (("id", "a"), ("id", "b c"))
    assert asked.headers["X-AUTH-TOKEN"] == "service-token"
    assert asked.headers["X-OPENSTACK-REQUEST-ID"] == context.request_id


def test_user_call_carries_the_users_token() -> None:
    app = ScriptedApp(Told(200, {}))

    to(app).get("/v2.0/ports", context=Context(token="user-token"), as_user=True)

    assert app.asked[0].headers["X-AUTH-TOKEN"] == "user-token"
    assert "X-SERVICE-TOKEN" not in app.asked[0].headers


def test_service_token_goes_beside_the_users() -> None:
    app = ScriptedApp(Told(200, {}))
    service = {"send_service_user_token": True, "auth_type": "admin_token", "endpoint": URL, "token": "ours"}

    to(app, service_user=service).get("/x", context=Context(token="user-token"), as_user=True)

    assert app.asked[0].headers["X-AUTH-TOKEN"] == "user-token"
    assert app.asked[0].headers["X-SERVICE-TOKEN"] == "ours"


@pytest.mark.parametrize(
    ("section", "ask"),
    [
        ("glance", lambda far, user: HttpGlance(far).get(user, "i1")),
        ("cinder", lambda far, user: HttpCinder(far).delete(user, "v1")),
        ("neutron", lambda far, user: HttpNetworkApi(far).delete("ports", "p1", user)),
    ],
)
@pytest.mark.parametrize("wanted", [True, False])
def test_calls_for_a_user_say_that_they_come_from_a_service(section: str, ask: Any, *, wanted: bool) -> None:
    app = ScriptedApp(Told(204) if section != "glance" else Told(200, {"id": "i1", "status": "active"}))
    ours = {"send_service_user_token": wanted, "auth_type": "admin_token", "endpoint": URL, "token": "ours"}
    sessions = Sessions(from_mapping({section: ADMIN, "service_user": ours}), {URL: app})

    ask(neighbour(sessions, section, ManualClock()), Context(token="users", project_id="p"))

    (asked,) = app.asked
    assert asked.headers["X-AUTH-TOKEN"] == "users"
    assert asked.headers.get("X-SERVICE-TOKEN") == ("ours" if wanted else None)


def test_as_user_without_a_token_is_the_service() -> None:
    app = ScriptedApp(Told(200, {}))

    to(app).get("/x", context=Context(), as_user=True)

    assert app.asked[0].headers["X-AUTH-TOKEN"] == "service-token"


@pytest.mark.parametrize("ident", ["..", ".", "../ports/x", "a/../b"])
def test_an_id_that_is_a_path_leads_nowhere(ident: str) -> None:
    app = ScriptedApp()
    with pytest.raises(RemoteNotFound, match="nothing is at"):
        to(app).get(f"/v2.0/networks/{ident}")
    assert not app.asked


def test_body_is_json() -> None:
    app = ScriptedApp(Told(201, {"port": {"id": "p"}}))

    assert to(app).post("/v2.0/ports", {"port": {"name": "é"}}) == {"port": {"id": "p"}}
    assert app.asked[0].json == {"port": {"name": "é"}}
    assert app.asked[0].headers["CONTENT-TYPE"] == "application/json"


def test_file_is_sent_again_from_its_start() -> None:
    app = ScriptedApp(Told(503), Told(204))
    file = io.BytesIO(b"data")

    to(app).call(Request(method="PUT", path="/f", body=file))

    assert [asked.content for asked in app.asked] == [b"data", b"data"]


def test_error_status_is_an_error_of_ours() -> None:
    app = ScriptedApp(Told(404, {"NeutronError": {"type": "PortNotFound", "message": "Port p is gone", "detail": ""}}))

    with pytest.raises(RemoteNotFound, match="Neutron: Port p is gone") as caught:
        to(app).get("/v2.0/ports/p")
    assert caught.value.fields["code"] == "PortNotFound"


def test_accepted_status_is_an_answer() -> None:
    assert to(ScriptedApp(Told(404))).delete("/v2.0/ports/p", accept=(404,)) == 404


def test_busy_neighbour_is_asked_again() -> None:
    app = ScriptedApp(Told(503), Told(502), Told(200, {"fine": 1}))

    assert to(app).get("/x") == {"fine": 1}


def test_patience_ends() -> None:
    app = ScriptedApp(Told(503, {"message": "maintenance"}))

    with pytest.raises(NeighbourFailed, match="maintenance"):
        to(app).get("/x")
    assert len(app.asked) == 3


def test_post_is_not_repeated() -> None:
    app = ScriptedApp(Told(503), Told(201, {}))

    with pytest.raises(NeighbourFailed):
        to(app).post("/x", {})
    assert len(app.asked) == 1


def test_refused_user_token_is_the_users_problem() -> None:
    app = ScriptedApp(Told(401, {"message": "expired"}))

    with pytest.raises(RemoteUnauthorized, match="expired"):
        to(app).get("/x", context=Context(token="old"), as_user=True)


def test_refused_service_token_names_the_section() -> None:
    app = ScriptedApp(Told(401, {"message": "who?"}))

    with pytest.raises(BadCredentials, match=r"Neutron refuses the credentials in section \[neutron\].*who\?"):
        to(app).get("/x")


def test_token_is_renewed_once_when_refused() -> None:
    identity, app = ScriptedApp(token()), ScriptedApp(Told(401), Told(200, {"ok": 1}))

    assert with_keystone(identity, app).get("/x") == {"ok": 1}
    assert len(identity.asked) == 2


def test_token_is_kept() -> None:
    identity, app = ScriptedApp(token()), ScriptedApp(Told(200, {}))
    far = with_keystone(identity, app)

    for _ in range(3):
        far.get("/x")

    assert identity.calls == [("POST", "/v3/auth/tokens")]
    assert app.asked[0].headers["X-AUTH-TOKEN"] == "issued"


def test_interfaces_are_tried_in_order() -> None:
    urls = (("public", "http://outside.local"), ("internal", f"{URL}/v2.0"))
    app = ScriptedApp(Told(200, {}))

    with_keystone(ScriptedApp(token(urls=urls)), app).get("/v2.0/ports")

    assert app.calls == [("GET", "/v2.0/ports")]


def test_missing_endpoint_says_what_was_looked_for() -> None:
    with pytest.raises(NoEndpoint, match=r"no network endpoint .*internal/public, region Mars.*\[neutron\]"):
        with_keystone(ScriptedApp(token()), ScriptedApp(), region_name="Mars").get("/x")


def test_wrong_password_names_the_section() -> None:
    identity = ScriptedApp(Told(401, {"error": {"message": "Invalid user", "code": 401, "title": "Unauthorized"}}))

    with pytest.raises(BadCredentials, match=r"Keystone refuses the credentials in section \[neutron\]"):
        with_keystone(identity, ScriptedApp()).get("/x")


def test_broken_keystone_is_unavailable() -> None:
    with pytest.raises(NeighbourDown, match="Keystone does not answer"):
        with_keystone(ScriptedApp(Told(500)), ScriptedApp()).get("/x")


def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        sessions = Sessions(from_mapping({"neutron": {"endpoint_override": url}}))
        clock = ManualClock()

        with pytest.raises(NeighbourDown, match=rf"Neutron does not answer at {url}/x: .*refused"):
            neighbour(sessions, "neutron", clock).post("/x", {})
    assert clock.monotonic() > 0.5


def test_silent_neighbour_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        options = {"endpoint_override": url, "timeout": 0.05, "connect_retries": 1}
        sessions = Sessions(from_mapping({"neutron": options}))

        with pytest.raises(NeighbourDown, match="timed out"):
            neighbour(sessions, "neutron", ManualClock()).get("/x")


def test_chunks_stream_and_fail_like_calls() -> None:
    app = ScriptedApp(Told(200, b"abcdef"), Told(404, {"message": "gone"}))
    far = to(app)

    assert list(far.chunks(Request(method="GET", path="/f"), size=4)) == [b"abcd", b"ef"]
    with pytest.raises(RemoteNotFound):
        list(far.chunks(Request(method="GET", path="/f")))
