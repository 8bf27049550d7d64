"""Whatever is sent, the answer is never a 500."""

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kilonova.lab.networks.api import RESOURCES
from kilonova.lab.networks.resources import Resource

if TYPE_CHECKING:
    from tests.service.lab_networks.conftest import Api

HEADERS = {"X-Auth-Token": "admin:demo"}
FUZZ = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**65), 2**65),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(["10.0.0.0/24", "10.0.0.5", "fe80::1", "tcp", "11111111-1111-4111-8111-111111111111", "4", ""]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["subnet_id", "ip_address", "start", "end", "network_id", "x"]), inner, max_size=3
        ),
    ),
    max_leaves=5,
)


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.kind)
@FUZZ
@given(data=st.data())
def test_any_create(api: "Api", resource: Resource, data: st.DataObject) -> None:
    names = [a.name for a in resource.attributes]
    body: dict[str, Any] = data.draw(st.dictionaries(st.sampled_from(names), VALUES, max_size=4))
    changes = data.draw(st.dictionaries(st.sampled_from(names), VALUES, max_size=3))
    if data.draw(st.booleans()):
        # So that what is required is there and the verbs behind the schema are reached.
        group = api.get("/security-groups?fields=id")["security_groups"][0]["id"]
        fit = {"network_id": api.private, "floating_network_id": api.public, "security_group_id": group}
        fit |= {"direction": "ingress", "cidr": "10.200.0.0/24"}
        body |= {key: value for key, value in fit.items() if key in names}
    reply = api.client.simulate_post(resource.path, json={resource.kind: body}, headers=HEADERS)
    assert reply.status_code < 500, reply.text
    if reply.status_code == 201 and resource.updatable:
        path = f"{resource.path}/{reply.json[resource.kind]['id']}"
        assert api.client.simulate_put(path, json={resource.kind: changes}, headers=HEADERS).status_code < 500
        assert api.client.simulate_delete(path, headers=HEADERS).status_code in (204, 409)


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.kind)
@FUZZ
@given(
    key=st.sampled_from(
        ["name", "fixed_ips", "limit", "marker", "sort_key", "sort_dir", "tags", "fields", "id", "x", ""]
    ),
    value=st.text(max_size=8),
)
def test_any_list(api: "Api", resource: Resource, key: str, value: str) -> None:
    query = f"{key}={quote(value.encode('utf-8', 'surrogatepass'))}"
    reply = api.client.simulate_get(resource.path, query_string=query, headers=HEADERS)
    assert reply.status_code in (200, 400), reply.text


@pytest.mark.parametrize(
    "data", [b"", b"{", b"\xff\xfe", b'{"network": {"name": "\xff"}}', b"[" * 5000, b'"x"', b"1e999", b"null"]
)
def test_any_bytes(api: "Api", data: bytes) -> None:
    for method, path in (("POST", "/v2.0/networks"), ("PUT", f"/v2.0/networks/{api.private}")):
        reply = api.client.simulate_request(method, path, body=data, headers=HEADERS)
        assert reply.status_code == 400, reply.text


@pytest.mark.parametrize("path", ["%00", "%ff", "..", "a" * 3000, "%F0%9F%98%80", "'; drop table documents"])
def test_any_id(api: "Api", path: str) -> None:
    for resource in RESOURCES:
        reply = api.client.simulate_get(f"{resource.path}/{quote(path, safe='%')}", headers=HEADERS)
        assert reply.status_code in (400, 404), reply.text


@pytest.mark.parametrize("body", [None, [], {"subnet_id": 1}, {"port_id": "x"}, {"x": 1}])
def test_any_router_interface(api: "Api", body: Any) -> None:
    for verb in ("add_router_interface", "remove_router_interface"):
        api.call("PUT", f"/routers/{api.seeded['router1']}/{verb}", body, status=400)
