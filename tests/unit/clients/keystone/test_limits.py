"""Keystone's limits over HTTP."""

import pytest

from kilonova.clients.keystone.limits import FakeLimits, HttpLimits, UnifiedLimitsOptions
from kilonova.clients.keystone.neighbours import neighbour
from kilonova.kit.clock import ManualClock
from kilonova.kit.http.scripted import ScriptedApp, Told
from kilonova.kit.options import BadConfiguration, from_mapping
from kilonova.kit.sessions import Sessions

URL = "http://keystone.local"


def to(app: ScriptedApp, clock: ManualClock, endpoint: str | None = "e") -> HttpLimits:
    sessions = Sessions(
        from_mapping({"oslo_limit": {"auth_type": "admin_token", "endpoint": URL, "token": "t"}}), {URL: app}
    )
    return HttpLimits(neighbour(sessions, "oslo_limit", clock), UnifiedLimitsOptions(endpoint_id=endpoint), clock)


def test_a_projects_own_limits_win_and_are_kept_for_a_while() -> None:
    clock = ManualClock()
    app = ScriptedApp(
        Told(200, {"endpoint": {"id": "e", "service_id": "s", "region_id": "r"}}),
        Told(
            200, {"registered_limits": [{"resource_name": n, "default_limit": 10} for n in ("servers", "class:VCPU")]}
        ),
        Told(200, {"limits": [{"resource_name": "servers", "resource_limit": 3}]}),
        Told(200, {"registered_limits": [], "limits": []}),
    )
    limits = to(app, clock)
    for _time in range(2):
        assert limits.of("p") == {"servers": 3, "class:VCPU": 10}
    assert [path for _method, path in app.calls] == ["/v3/endpoints/e", "/v3/registered_limits", "/v3/limits"]
    assert app.asked[2].query == (("service_id", "s"), ("region_id", "r"), ("project_id", "p"))
    clock.advance(11)
    assert limits.of("p") == {}
    assert FakeLimits({None: {"a": 1, "b": 2}, "p": {"a": 3}}).of("p") == {"a": 3, "b": 2}


def test_without_an_endpoint_there_are_no_limits() -> None:
    with pytest.raises(BadConfiguration, match="endpoint_id"):
        to(ScriptedApp(), ManualClock(), None)
