import pytest

from kilonova.clients.keystone.errors import RemoteOverQuota
from kilonova.clients.keystone.neighbours import neighbour
from kilonova.clients.neutron.http import HttpNetworkApi
from kilonova.kit.clock import ManualClock
from kilonova.kit.http.scripted import ScriptedApp, Told
from kilonova.kit.options import from_mapping
from kilonova.kit.sessions import Sessions

URL = "http://neutron.local"


def to(app: ScriptedApp) -> HttpNetworkApi:
    section = {"auth_type": "admin_token", "endpoint": URL, "token": "t"}
    return HttpNetworkApi(neighbour(Sessions(from_mapping({"neutron": section}), {URL: app}), "neutron", ManualClock()))


def test_rows() -> None:
    app = ScriptedApp(Told(200, {"security_groups": [{"id": "g"}]}))

    assert to(app).rows("security_groups", [("project_id", "p")]) == [{"id": "g"}]
    assert app.calls == [("GET", "/v2.0/security-groups")]
    assert app.asked[0].query == (("project_id", "p"),)


def test_extension_that_is_not_there_has_no_rows() -> None:
    assert to(ScriptedApp(Told(404))).rows("floatingips") == []


@pytest.mark.parametrize(
    ("resource", "name", "path", "key"),
    [
        ("quotas", "p/details", "/v2.0/quotas/p/details", "quota"),
        ("auto_allocated_topologies", "p", "/v2.0/auto-allocated-topology/p", "auto_allocated_topology"),
        ("ports", "x", "/v2.0/ports/x", "port"),
    ],
)
def test_show(resource: str, name: str, path: str, key: str) -> None:
    app = ScriptedApp(Told(200, {key: {"port": 1}}))

    assert to(app).show(resource, name) == {"port": 1}
    assert app.calls == [("GET", path)]


def test_one_is_created_alone_and_many_in_one_call() -> None:
    app = ScriptedApp(Told(201, {"port": {"id": "1"}}), Told(201, {"ports": [{"id": "2"}, {"id": "3"}]}))
    api = to(app)

    assert api.create("ports", [{"name": "a"}]) == [{"id": "1"}]
    assert api.create("ports", [{"name": "b"}, {"name": "c"}]) == [{"id": "2"}, {"id": "3"}]
    assert [asked.json for asked in app.asked] == [{"port": {"name": "a"}}, {"ports": [{"name": "b"}, {"name": "c"}]}]


def test_quota_keeps_its_kind() -> None:
    app = ScriptedApp(Told(409, {"NeutronError": {"type": "OverQuota", "message": "no more ports", "detail": ""}}))

    with pytest.raises(RemoteOverQuota, match="no more ports"):
        to(app).create("ports", [{}])


def test_update_and_delete() -> None:
    app = ScriptedApp(Told(200, {"port": {"id": "1"}}), Told(204), Told(404))
    api = to(app)

    assert api.update("ports", "1", {"device_id": ""}) == {"id": "1"}
    assert app.asked[0].json == {"port": {"device_id": ""}}
    assert (api.delete("ports", "1"), api.delete("ports", "1")) == (True, False)
