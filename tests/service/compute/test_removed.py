import re

import pytest
from tests.service.compute.harness import Api

from kilonova.api import removed


@pytest.mark.parametrize("version", ["2.1", "2.104"])
def test_removed_routes_are_410_with_a_token_and_401_without(api: Api, version: str) -> None:
    assert len(removed.ENDPOINTS) == 53
    for endpoint in removed.ENDPOINTS:
        path = re.sub(r"\{.*?\}", "x", endpoint.path)
        body = {endpoint.action: None} if endpoint.action else {}
        sent = None if endpoint.method in ("GET", "DELETE") else body
        found = api.call(endpoint.method, path, version, sent)
        assert found.status_code == 410, (endpoint.method, path, found.text)
        assert found.json["computeFault"]["code"] == 410
        assert "No forwarding address is given." in found.json["computeFault"]["message"]
        assert api.client.simulate_request(endpoint.method, f"/v2.1{path}").status_code == 401
