"""Ironic over HTTP: as the caller, three paths."""

from kilonova.clients.ironic.http import HttpNodes
from kilonova.clients.keystone.neighbours import neighbour
from kilonova.kit.clock import ManualClock
from kilonova.kit.context import Context
from kilonova.kit.http.scripted import ScriptedApp, Told
from kilonova.kit.options import from_mapping
from kilonova.kit.sessions import Sessions

URL = "http://ironic.local"
CALLER = Context(user_id="u", project_id="p", token="theirs")


def test_nodes_and_ports() -> None:
    node = {"uuid": "n", "provision_state": "active", "properties": {}}
    app = ScriptedApp(Told(200, {"nodes": [node]}), Told(200, node), Told(200, {"ports": [{"address": "fa"}]}))
    section = {"auth_type": "admin_token", "endpoint": URL, "token": "t"}
    nodes = HttpNodes(neighbour(Sessions(from_mapping({"ironic": section}), {URL: app}), "ironic", ManualClock()))
    assert nodes.all(CALLER) == [node]
    assert nodes.get(CALLER, "n") == node
    assert nodes.ports(CALLER, "n") == [{"address": "fa"}]
    assert [path for _method, path in app.calls] == ["/v1/nodes/detail", "/v1/nodes/n", "/v1/nodes/n/ports"]
