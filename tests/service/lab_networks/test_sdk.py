"""The stock openstacksdk as a client."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import requests
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token

from kilonova.kit.http.in_process import WsgiAdapter

if TYPE_CHECKING:
    from tests.service.lab_networks.conftest import Api

URL = "http://network.local"
# The SDK warns about its own inner calls, differently in each release.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")


@pytest.fixture
def network(api: "Api") -> Iterator[Any]:
    openstack = pytest.importorskip("openstack")
    http = requests.Session()
    http.mount(URL, WsgiAdapter(api.client.app))
    session = Session(auth=Token(URL, "admin:demo"), session=http)
    connection = openstack.connection.Connection(session=session, network_endpoint_override=URL)
    yield connection.network
    connection.close()


def test_a_tour(network: Any) -> None:
    private = network.find_network("private")
    assert private.is_shared
    net = network.create_network(name="n1", description="hello")
    network.set_tags(net, ["a"])
    subnet = network.create_subnet(network_id=net.id, ip_version=4, cidr="10.99.0.0/24", name="s1")
    public = network.find_network("public")
    router = network.create_router(name="r1", external_gateway_info={"network_id": public.id})
    network.add_interface_to_router(router, subnet_id=subnet.id)
    group = network.create_security_group(name="web")
    rule = network.create_security_group_rule(
        security_group_id=group.id, direction="ingress", protocol="tcp", port_range_min=80, port_range_max=80
    )
    port = network.create_port(
        network_id=net.id, name="p1", security_group_ids=[group.id], device_id="server", binding_host_id="h1"
    )
    assert (port.status, port.binding_vif_type) == ("ACTIVE", "bridge")
    floating = network.create_ip(floating_network_id=public.id, port_id=port.id)
    assert floating.fixed_ip_address == port.fixed_ips[0]["ip_address"]
    assert [p.id for p in network.ports(network_id=net.id, device_id="server")] == [port.id]
    assert {n.name for n in network.networks(limit=1)} == {"public", "private", "n1"}
    assert network.get_network(net.id).tags == ["a"]
    network.update_port(port, name="p2")
    network.delete_ip(floating)
    network.delete_port(port)
    network.delete_security_group_rule(rule)
    network.delete_security_group(group)
    network.remove_interface_from_router(router, subnet_id=subnet.id)
    network.delete_router(router)
    network.delete_subnet(subnet)
    network.delete_network(net)
    assert network.find_network("n1") is None


def test_auto_allocation_quotas_agents_and_zones(network: Any) -> None:
    assert network.validate_auto_allocated_topology("demo").id == "dry-run=pass"
    topology = network.get_auto_allocated_topology("demo")
    assert network.get_network(topology.id).name == "auto_allocated_network"
    network.delete_auto_allocated_topology("demo")
    assert network.get_quota("demo").networks == 100
    assert network.get_quota("demo", details=True).networks["used"] == 2
    assert [agent.is_alive for agent in network.agents()] == [True]
    assert {zone.name for zone in network.availability_zones()} == {"nova"}
    assert network.find_extension("security-group") is not None
    assert list(network.subnet_pools()) == []
