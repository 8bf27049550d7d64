"""One suite over the fake and over the REST client against the built-in network service."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kilonova.clients.keystone.errors import RemoteNotFound
from kilonova.clients.keystone.neighbours import neighbour
from kilonova.clients.neutron import changes
from kilonova.clients.neutron import contract as errors
from kilonova.clients.neutron.api import NetworkApi
from kilonova.clients.neutron.contract import Neutron
from kilonova.clients.neutron.facts import NetworkRequest, PortOwner
from kilonova.clients.neutron.fake import FakeNetworkApi
from kilonova.clients.neutron.http import HttpNetworkApi
from kilonova.clients.neutron.neutron import ApiNeutron
from kilonova.kit.auth import NoAuth
from kilonova.kit.clock import SystemClock
from kilonova.kit.context import Context
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.kit.options import from_mapping
from kilonova.kit.sessions import Sessions
from kilonova.lab.networks.options import LabNetworkOptions
from kilonova.lab.networks.plumbing import FakePlumbing
from kilonova.lab.networks.service import build

URL = "http://network.local"
PROJECT = "5b0c2d6a1f1e4c0b9a7d3e8f6a5b4c3d"
ALICE = Context(user_id="alice", project_id=PROJECT, roles=("member", "reader"), token=f"alice:{PROJECT}")
SERVER = "11111111-2222-4333-8444-555555555555"
OWNER = PortOwner(server_id=SERVER, project_id=PROJECT, availability_zone="az1")


@pytest.fixture(params=["fake", "rest"])
def api(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NetworkApi]:
    if request.param == "fake":
        yield FakeNetworkApi()
        return
    database = Database(DatabaseOptions(connection=f"sqlite:///{tmp_path}/networks.db"))
    options = LabNetworkOptions(host="h1", state_path=str(tmp_path))
    app = build(database, options, NoAuth(), FakePlumbing(), SystemClock())
    section = {"auth_type": "admin_token", "endpoint": URL, "token": "admin"}
    yield HttpNetworkApi(neighbour(Sessions(from_mapping({"neutron": section}), {URL: app}), "neutron"))
    database.dispose()


@pytest.fixture
def neutron(api: NetworkApi) -> Neutron:
    return ApiNeutron(api)


def network(api: NetworkApi, name: str, cidr: str = "10.77.0.0/24", **more: Any) -> str:
    (row,) = api.create("networks", [{"name": name, "project_id": PROJECT, **more}])
    subnet = {"network_id": row["id"], "cidr": cidr, "ip_version": 4, "project_id": row["project_id"]}
    api.create("subnets", [{**subnet, "dns_nameservers": ["9.9.9.9"]}])
    return str(row["id"])


def user_port(api: NetworkApi, network_id: str, **more: Any) -> str:
    (row,) = api.create("ports", [{"network_id": network_id, "project_id": PROJECT, **more}])
    return str(row["id"])


def test_boot_and_delete(api: NetworkApi, neutron: Neutron) -> None:
    net = network(api, "private")
    requests = neutron.validate(ALICE, PROJECT, (NetworkRequest(network_id=net, tag="t"),))

    (port,) = neutron.allocate(OWNER, requests, host="h1")

    assert (port.network_name, port.device_id, port.device_owner, port.host) == ("private", SERVER, "compute:az1", "h1")
    assert (port.vif_type, port.created, port.tag, port.status) == ("bridge", True, "t", "ACTIVE")
    assert port.bridge
    assert port.mtu
    (fixed,) = port.fixed_ips
    assert fixed.address.startswith("10.77.0.")
    assert (fixed.subnet.gateway, fixed.subnet.dns, fixed.subnet.dhcp) == ("10.77.0.1", ("9.9.9.9",), True)
    assert neutron.network_info(SERVER, known=[port]) == (port,)
    assert neutron.has_ports([SERVER]) == {SERVER: (port.id,)}

    neutron.release(SERVER)
    assert neutron.network_info(SERVER) == ()


def test_two_nics_in_order_and_again(api: NetworkApi, neutron: Neutron) -> None:
    one, two = network(api, "one"), network(api, "two", "10.78.0.0/24")
    requests = [NetworkRequest(network_id=two), NetworkRequest(network_id=one, fixed_ip="10.77.0.33")]

    first = neutron.allocate(OWNER, requests, host="h1")
    again = neutron.allocate(OWNER, requests, host="h1")

    assert [p.network_name for p in first] == ["two", "one"]
    assert first[1].fixed_ips[0].address == "10.77.0.33"
    assert [p.id for p in again] == [p.id for p in first]


def test_users_port_is_taken_and_given_back(api: NetworkApi, neutron: Neutron) -> None:
    net = network(api, "private")
    mine = user_port(api, net, name="mine")
    requests = neutron.validate(ALICE, PROJECT, (NetworkRequest(port_id=mine),))

    (port,) = neutron.allocate(OWNER, requests, host="h1")
    assert (port.id, port.host, port.created) == (mine, "h1", False)
    with pytest.raises(errors.PortInUse):
        neutron.validate(ALICE, PROJECT, (NetworkRequest(port_id=mine),))

    neutron.release(SERVER)
    free = neutron.port(None, mine)
    assert (free.device_id, free.host, free.vif_type) == ("", None, "unbound")


def test_only_visible_network_is_the_default(api: NetworkApi, neutron: Neutron) -> None:
    network(api, "foreign", project_id="someone")
    assert neutron.validate(ALICE, PROJECT, None) == ()
    net = network(api, "shared", "10.79.0.0/24", project_id="someone", shared=True)

    assert neutron.validate(ALICE, PROJECT, None) == (NetworkRequest(network_id=net),)
    assert [n.name for n in neutron.networks(ALICE, PROJECT)] == ["shared"]
    network(api, "own", "10.80.0.0/24")
    with pytest.raises(errors.NetworkAmbiguous):
        neutron.validate(ALICE, PROJECT, "auto")


def test_refusals_at_accept_time(api: NetworkApi, neutron: Neutron) -> None:
    net = network(api, "private")
    foreign = network(api, "foreign", "10.81.0.0/24", project_id="someone")
    user_port(api, net, fixed_ips=[{"ip_address": "10.77.0.9"}])

    with pytest.raises(errors.NetworkNotFound, match=foreign):
        neutron.validate(ALICE, PROJECT, (NetworkRequest(network_id=foreign),))
    with pytest.raises(errors.FixedIpInvalid):
        neutron.validate(ALICE, PROJECT, (NetworkRequest(network_id=net, fixed_ip="10.9.9.9"),))
    with pytest.raises(errors.FixedIpInUse):
        neutron.validate(ALICE, PROJECT, (NetworkRequest(network_id=net, fixed_ip="10.77.0.9"),))
    with pytest.raises(errors.PortNotFound):
        neutron.validate(ALICE, PROJECT, (NetworkRequest(port_id=SERVER),))


def test_refusals_at_allocation(api: NetworkApi, neutron: Neutron) -> None:
    net = network(api, "tiny", "10.77.0.0/29")
    user_port(api, net, fixed_ips=[{"ip_address": "10.77.0.4"}])

    with pytest.raises(errors.FixedIpInUse):
        neutron.allocate(OWNER, [NetworkRequest(network_id=net, fixed_ip="10.77.0.4")], host="h1")
    with pytest.raises(errors.NoMoreAddresses):
        neutron.allocate(OWNER, [NetworkRequest(network_id=net)] * 6, host="h1")
    with pytest.raises(errors.NetworkNotFound):
        neutron.allocate(OWNER, [NetworkRequest(network_id=SERVER)], host="h1")
    assert neutron.network_info(SERVER) == ()


def test_security_groups(api: NetworkApi, neutron: Neutron) -> None:
    net = network(api, "private")
    (web,) = api.create("security_groups", [{"name": "web", "project_id": PROJECT}])

    groups = neutron.security_groups(ALICE, PROJECT, ["web"])
    (port,) = neutron.allocate(OWNER, [NetworkRequest(network_id=net)], host="h1", security_groups=groups)

    assert groups == port.security_group_ids == (web["id"],)
    assert neutron.security_group_names(groups) == {web["id"]: "web"}
    with pytest.raises(errors.SecurityGroupNotFound):
        neutron.security_groups(ALICE, PROJECT, ["nope"])


def test_default_group_is_applied_by_itself(api: NetworkApi, neutron: Neutron) -> None:
    (port,) = neutron.allocate(OWNER, [NetworkRequest(network_id=network(api, "private"))], host="h1")

    assert list(neutron.security_group_names(port.security_group_ids).values()) == ["default"]


def test_deleted_port_is_no_trouble(api: NetworkApi, neutron: Neutron) -> None:
    (port,) = neutron.allocate(OWNER, [NetworkRequest(network_id=network(api, "private"))], host="h1")

    assert api.delete("ports", port.id) is True
    assert api.delete("ports", port.id) is False
    neutron.release(SERVER)
    with pytest.raises(RemoteNotFound):
        api.update("ports", port.id, {"name": "x"})


def test_addresses_and_groups_of_a_servers_ports_change(api: NetworkApi, neutron: Neutron) -> None:
    net = network(api, "private")
    (group,) = api.create("security_groups", [{"name": "web", "project_id": PROJECT}])
    (rule,) = api.create(
        "security_group_rules",
        [{"security_group_id": group["id"], "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp"}],
        ALICE,
    )
    with pytest.raises(errors.NotOnNetwork):
        changes.add_fixed_ip(api, SERVER, net)
    (port,) = neutron.allocate(OWNER, [NetworkRequest(network_id=net)], host="h1")
    changes.add_fixed_ip(api, SERVER, net)
    (more,) = neutron.network_info(SERVER)
    assert len(more.fixed_ips) == 2
    changes.remove_fixed_ip(api, SERVER, more.fixed_ips[1].address)
    with pytest.raises(errors.NotOnNetwork):
        changes.remove_fixed_ip(api, SERVER, more.fixed_ips[1].address)
    assert neutron.network_info(SERVER)[0].fixed_ips == port.fixed_ips
    for _time in range(2):
        changes.add_group(api, SERVER, group["id"])
    assert {found.name for found in neutron.groups_of(SERVER)} == {"default", "web"}
    changes.remove_group(api, SERVER, group["id"])
    with pytest.raises(errors.GroupNotApplied):
        changes.remove_group(api, SERVER, group["id"])
    assert rule["id"] in [row["id"] for row in api.rows("security_group_rules", [("security_group_id", group["id"])])]
    assert api.delete("security_groups", group["id"], ALICE)
    assert not api.delete("security_groups", group["id"], ALICE)
