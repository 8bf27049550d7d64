import pytest

from kilonova.clients.keystone.errors import NeighbourDown
from kilonova.clients.neutron import contract as errors
from kilonova.clients.neutron.facts import NetworkRequest, PortOwner
from kilonova.clients.neutron.fake import FakeNetworkApi
from kilonova.clients.neutron.neutron import ApiNeutron

PROJECT = "p1"
OWNER = PortOwner(server_id="s1", project_id=PROJECT)


@pytest.fixture
def api() -> FakeNetworkApi:
    return FakeNetworkApi()


@pytest.fixture
def neutron(api: FakeNetworkApi) -> ApiNeutron:
    return ApiNeutron(api)


def on(network_id: str, **more: str) -> NetworkRequest:
    return NetworkRequest(network_id=network_id, **more)  # type: ignore[arg-type]  # strings only, here


def test_allocated_port_is_bound_and_has_everything_a_guest_needs(api: FakeNetworkApi, neutron: ApiNeutron) -> None:
    network = api.network("private", PROJECT, cidr="10.1.0.0/24")

    (port,) = neutron.allocate(OWNER, [on(network, tag="nic1")], host="h1")

    assert (port.network_name, port.mtu, port.tag, port.host) == ("private", 1450, "nic1", "h1")
    assert (port.device_id, port.device_owner, port.project_id) == ("s1", "compute:nova", PROJECT)
    assert (port.vif_type, port.bridge, port.status) == ("bridge", f"brq{network}"[:14], "ACTIVE")
    assert port.devname == f"tap{port.id[:11]}"
    assert port.created
    (fixed,) = port.fixed_ips
    assert (fixed.address, fixed.subnet.cidr, fixed.subnet.gateway) == ("10.1.0.2", "10.1.0.0/24", "10.1.0.1")


def test_allocating_again_finds_the_ports(api: FakeNetworkApi, neutron: ApiNeutron) -> None:
    network = api.network("private", PROJECT)
    requests = [on(network, fixed_ip="10.0.0.9"), on(network), on(network)]

    first = neutron.allocate(OWNER, requests, host="h1")
    again = neutron.allocate(OWNER, requests, host="h1")

    assert [p.id for p in again if p.fixed_ips[0].address == "10.0.0.9"] == [first[0].id]
    assert {p.id for p in again} == {p.id for p in first}
    assert len(api.rows("ports")) == 3


def test_half_finished_allocation_is_completed(api: FakeNetworkApi, neutron: ApiNeutron) -> None:
    one, two = api.network("one", PROJECT), api.network("two", PROJECT, cidr="10.2.0.0/24")
    (early,) = neutron.allocate(OWNER, [on(two)], host="h1")

    ports = neutron.allocate(OWNER, [on(one), on(two)], host="h1")

    assert [p.network_name for p in ports] == ["one", "two"]
    assert ports[1].id == early.id


def test_allocating_on_another_host_rebinds(api: FakeNetworkApi, neutron: ApiNeutron) -> None:
    network = api.network("private", PROJECT)
    (first,) = neutron.allocate(OWNER, [on(network)], host="h1")

    (second,) = neutron.allocate(OWNER, [on(network)], host="h2")

    assert (second.id, second.host) == (first.id, "h2")


def test_ports_of_other_nics_are_left_alone(api: FakeNetworkApi, neutron: ApiNeutron) -> None:
    network = api.network("private", PROJECT)
    (first,) = neutron.allocate(OWNER, [on(network)], host="h1")

    (second,) = neutron.allocate(OWNER, [on(network)], host="h1", taken=[first.id])

    assert second.id != first.id


def test_users_port_is_taken_and_given_back(api: FakeNetworkApi, neutron: ApiNeutron) -> None:
    network = api.network("private", PROJECT)
    mine = api.user_port(network, PROJECT)
    api.floating_ip("172.24.4.9", mine)

    (port,) = neutron.allocate(OWNER, [NetworkRequest(port_id=mine, network_id=network)], host="h1")
    assert (port.id, port.device_id, port.host, port.created) == (mine, "s1", "h1", False)
    assert port.fixed_ips[0].floating == ("172.24.4.9",)

    neutron.release("s1")
    (row,) = api.rows("ports")
    assert (row["device_id"], row["device_owner"], row["binding:host_id"]) == ("", "", "")


def test_release_deletes_what_was_made(api: FakeNetworkApi, neutron: ApiNeutron) -> None:
    network = api.network("private", PROJECT)
    ports = neutron.allocate(OWNER, [on(network), on(network)], host="h1")

    neutron.release("s1", [ports[0].id])
    assert [row["id"] for row in api.rows("ports")] == [ports[1].id]
    neutron.release("s1")
    neutron.release("s1")
    assert api.rows("ports") == []


def test_release_goes_on_after_a_failure_and_tells(api: FakeNetworkApi, neutron: ApiNeutron) -> None:
    network = api.network("private", PROJECT)
    neutron.allocate(OWNER, [on(network), on(network)], host="h1")
    broken = iter([True, False])

    def interfere(verb: str, _resource: str) -> None:
        if verb == "delete" and next(broken):
            raise NeighbourDown(neighbour="Neutron", url="x", reason="gone")

    api.interfere = interfere
    with pytest.raises(NeighbourDown):
        neutron.release("s1")
    assert len(api.rows("ports")) == 1


def test_failed_binding_leaves_nothing(api: FakeNetworkApi, neutron: ApiNeutron) -> None:
    network = api.network("private", PROJECT)
    mine = api.user_port(network, PROJECT)
    api.deaf_hosts.add("h1")

    with pytest.raises(errors.PortBindingFailed, match="on host h1"):
        neutron.allocate(OWNER, [on(network), NetworkRequest(port_id=mine)], host="h1")

    (row,) = api.rows("ports")
    assert (row["id"], row["device_id"], row["binding:host_id"]) == (mine, "", "")


def test_bind_moves_every_port_and_keeps_order_and_tags(api: FakeNetworkApi, neutron: ApiNeutron) -> None:
    network = api.network("private", PROJECT)
    ports = neutron.allocate(OWNER, [on(network, tag="a"), on(network, tag="b")], host="h1")

    moved = neutron.bind("s1", "h2", known=ports[::-1])

    assert [(p.id, p.tag, p.host) for p in moved] == [(ports[1].id, "b", "h2"), (ports[0].id, "a", "h2")]
    api.deaf_hosts.add("h3")
    with pytest.raises(errors.PortBindingFailed):
        neutron.bind("s1", "h3")


def test_quota_at_allocation(api: FakeNetworkApi, neutron: ApiNeutron) -> None:
    network = api.network("private", PROJECT)
    api.limit_ports(PROJECT, 1)

    with pytest.raises(errors.PortLimitExceeded):
        neutron.allocate(OWNER, [on(network), on(network)], host="h1")
    assert api.rows("ports") == []


def test_address_that_someone_took_meanwhile(api: FakeNetworkApi, neutron: ApiNeutron) -> None:
    network = api.network("private", PROJECT)
    api.user_port(network, PROJECT, fixed_ips=[{"ip_address": "10.0.0.7"}])

    with pytest.raises(errors.FixedIpInUse, match=r"10\.0\.0\.7"):
        neutron.allocate(OWNER, [on(network, fixed_ip="10.0.0.7")], host="h1")


def test_used_up_network(api: FakeNetworkApi, neutron: ApiNeutron) -> None:
    network = api.network("tiny", PROJECT, cidr="10.0.0.0/30")
    neutron.allocate(OWNER, [on(network)], host="h1")

    with pytest.raises(errors.NoMoreAddresses, match=network):
        neutron.allocate(PortOwner(server_id="s2", project_id=PROJECT), [on(network)], host="h1")


def test_freed_address_is_used_again(api: FakeNetworkApi, neutron: ApiNeutron) -> None:
    network = api.network("tiny", PROJECT, cidr="10.0.0.0/30")
    for server in ("s1", "s2"):
        (port,) = neutron.allocate(PortOwner(server_id=server, project_id=PROJECT), [on(network)], host="h1")
        assert port.fixed_ips[0].address == "10.0.0.2"
        neutron.release(server)


@pytest.mark.parametrize("missing", [True, False])
def test_port_that_is_gone_or_taken_meanwhile(api: FakeNetworkApi, neutron: ApiNeutron, missing: bool) -> None:
    network = api.network("private", PROJECT)
    port = "nowhere" if missing else api.user_port(network, PROJECT, device_id="another")

    with pytest.raises(errors.PortNotFound if missing else errors.PortInUse, match=port):
        neutron.allocate(OWNER, [NetworkRequest(port_id=port)], host="h1")


def test_network_that_is_gone_meanwhile(neutron: ApiNeutron) -> None:
    with pytest.raises(errors.NetworkNotFound, match="gone"):
        neutron.allocate(OWNER, [on("gone")], host="h1")


def test_security_groups_need_port_security(api: FakeNetworkApi, neutron: ApiNeutron) -> None:
    network = api.network("open", PROJECT, port_security_enabled=False)
    group = api.security_group("web", PROJECT)

    with pytest.raises(errors.SecurityGroupsNotApplicable, match=network):
        neutron.allocate(OWNER, [on(network)], host="h1", security_groups=[group])


def test_security_groups_reach_the_port(api: FakeNetworkApi, neutron: ApiNeutron) -> None:
    network, group = api.network("private", PROJECT), api.security_group("web", PROJECT)

    (port,) = neutron.allocate(OWNER, [on(network)], host="h1", security_groups=[group])

    assert neutron.security_group_names(port.security_group_ids) == {group: "web"}


def test_security_groups_by_name_and_id(api: FakeNetworkApi, neutron: ApiNeutron) -> None:
    web, db = api.security_group("web", PROJECT), api.security_group("db", PROJECT)
    api.security_group("web", "another")

    assert neutron.security_groups(None, PROJECT, ["web", db, "web"]) == (web, db)
    assert neutron.security_groups(None, PROJECT, ["default"]) == ()
    with pytest.raises(errors.SecurityGroupNotFound, match="nope"):
        neutron.security_groups(None, PROJECT, ["nope"])
    api.security_group("web", PROJECT)
    with pytest.raises(errors.SecurityGroupAmbiguous, match="web"):
        neutron.security_groups(None, PROJECT, ["web"])


def test_automatic_network_is_made_at_allocation(api: FakeNetworkApi, neutron: ApiNeutron) -> None:
    api.auto_network = api.network("auto", "")

    (port,) = neutron.allocate(OWNER, [NetworkRequest(auto=True)], host="h1")

    assert port.network_name == "auto"


def test_ports_of_many_servers(api: FakeNetworkApi, neutron: ApiNeutron) -> None:
    network = api.network("private", PROJECT)
    for number in range(3):
        neutron.allocate(PortOwner(server_id=f"s{number}", project_id=PROJECT), [on(network)], host="h1")

    found = neutron.has_ports(["s0", "s2", "s9"])

    assert {server: len(ports) for server, ports in found.items()} == {"s0": 1, "s2": 1}


def test_one_port(api: FakeNetworkApi, neutron: ApiNeutron) -> None:
    port = api.user_port(api.network("private", PROJECT), PROJECT, name="mine")

    assert neutron.port(None, port).name == "mine"
    with pytest.raises(errors.PortNotFound):
        neutron.port(None, "nowhere")


def test_few_calls(api: FakeNetworkApi, neutron: ApiNeutron) -> None:
    network = api.network("private", PROJECT)
    calls: list[tuple[str, str]] = []
    api.interfere = lambda verb, resource: calls.append((verb, resource))

    neutron.allocate(OWNER, [on(network), on(network)], host="h1")

    assert calls == [("rows", "ports"), ("create", "ports"), ("rows", "networks"), ("rows", "subnets")]
