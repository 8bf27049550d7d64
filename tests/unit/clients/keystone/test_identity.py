import pytest

from kilonova.clients.keystone.identity import FakeIdentity, HttpIdentity
from kilonova.clients.keystone.neighbours import neighbour
from kilonova.kit.clock import ManualClock
from kilonova.kit.errors import Unavailable
from kilonova.kit.http.scripted import ScriptedApp, Told
from kilonova.kit.options import from_mapping
from kilonova.kit.sessions import Sessions

URL = "http://id.local"


def to(app: ScriptedApp, clock: ManualClock) -> HttpIdentity:
    section = {"auth_type": "admin_token", "endpoint": f"{URL}/v3", "token": "t"}
    return HttpIdentity(neighbour(Sessions(from_mapping({"keystone": section}), {URL: app}), "keystone", clock), clock)


@pytest.mark.parametrize(("status", "exists"), [(200, True), (404, False), (403, True)])
def test_status_tells(status: int, exists: bool) -> None:
    app = ScriptedApp(Told(status, {}))

    assert to(app, ManualClock()).project_exists(None, "p") is exists
    assert app.calls == [("GET", "/v3/projects/p")]


def test_found_project_is_remembered_for_a_while() -> None:
    app, clock = ScriptedApp(Told(200, {})), ManualClock()
    identity = to(app, clock)

    identity.project_exists(None, "p")
    identity.project_exists(None, "p")
    assert len(app.asked) == 1
    clock.advance(601)
    identity.project_exists(None, "p")
    assert len(app.asked) == 2


def test_broken_keystone_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="Keystone"):
        to(ScriptedApp(Told(500)), ManualClock()).project_exists(None, "p")


def test_fake() -> None:
    identity = FakeIdentity({"gone"})

    assert identity.project_exists(None, "p")
    assert not identity.project_exists(None, "gone")
