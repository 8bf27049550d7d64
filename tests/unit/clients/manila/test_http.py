from typing import Any

import pytest

from kilonova.clients.keystone.errors import RemoteConflict
from kilonova.clients.keystone.neighbours import neighbour
from kilonova.clients.manila.contract import Access, Share, ShareNotFound
from kilonova.clients.manila.http import HttpManila
from kilonova.kit.clock import ManualClock
from kilonova.kit.context import Context
from kilonova.kit.http.scripted import ScriptedApp, Told
from kilonova.kit.options import from_mapping
from kilonova.kit.sessions import Sessions

URL = "http://manila.test"
ALICE = Context(user_id="alice", project_id="p", token="alice-token")
RULE = {"id": "r1", "access_type": "ip", "access_to": "192.0.2.1", "access_level": "rw", "state": "active"}
RULES = Told(200, {"access_list": [{**RULE, "id": "r0", "access_to": "192.0.2.9"}, RULE]})


def to(app: ScriptedApp) -> HttpManila:
    values: dict[str, Any] = {"auth_type": "admin_token", "endpoint": f"{URL}/v2/", "token": "service-token"}
    sessions = Sessions(from_mapping({"manila": values}), {URL: app})
    return HttpManila(neighbour(sessions, "manila", ManualClock()))


def test_a_share_and_its_preferred_export() -> None:
    exports = [{"path": "192.0.2.50:/a", "preferred": False}, {"path": "192.0.2.51:/a", "preferred": True}]
    app = ScriptedApp(
        Told(200, {"share": {"id": "s1", "status": "available", "share_proto": "nfs"}}),
        Told(200, {"export_locations": exports}),
        Told(404, {"itemNotFound": {"message": "no", "code": 404}}),
    )
    manila = to(app)

    assert manila.get(ALICE, "s1") == Share(id="s1", status="available", protocol="NFS", export="192.0.2.51:/a")
    with pytest.raises(ShareNotFound):
        manila.get(None, "s2")
    assert [asked.path for asked in app.asked] == ["/v2/shares/s1", "/v2/shares/s1/export_locations", "/v2/shares/s2"]


def test_hosts_are_let_in_and_out() -> None:
    gone = Told(404, {"itemNotFound": {"message": "no", "code": 404}})
    taken = Told(409, {"conflictingRequest": {"message": "exists", "code": 409}})
    nobody = Told(200, {"access_list": []})
    app = ScriptedApp(RULES, nobody, Told(200, {}), taken, RULES, taken, nobody, gone, Told(202), gone)
    manila = to(app)

    assert manila.access("s1", "192.0.2.1") == Access(id="r1", to="192.0.2.1", state="active")
    assert manila.access("s1", "192.0.2.1") is None
    for _time in range(2):  # the second time the service says that there is such a rule
        manila.allow("s1", "192.0.2.1")
    with pytest.raises(RemoteConflict):
        manila.allow("s1", "192.0.2.1")
    with pytest.raises(ShareNotFound):
        manila.allow("s2", "192.0.2.1")
    for _time in range(2):
        manila.deny("s1", "r1")
    assert app.asked[2].json["allow_access"]["lock_deletion"] is True
    assert app.asked[-1].json == {"deny_access": {"access_id": "r1", "unrestrict": True}}
