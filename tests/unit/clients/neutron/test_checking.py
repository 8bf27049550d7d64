import pytest

from kilonova.clients.neutron import contract as errors
from kilonova.clients.neutron.facts import NetworkRequest, Wanted
from kilonova.clients.neutron.fake import FakeNetworkApi
from kilonova.clients.neutron.neutron import ApiNeutron
from kilonova.kit.context import Context
from kilonova.kit.errors import Forbidden, KilonovaError, OverQuota

PROJECT = "p1"
ALICE = Context(project_id=PROJECT, roles=("member",), token="t")
ADMIN = Context(project_id=PROJECT, roles=("admin",), token="t")
SERVICE = None


@pytest.fixture
def api() -> FakeNetworkApi:
    return FakeNetworkApi()


def check(
    api: FakeNetworkApi, wanted: Wanted, *, count: int = 1, context: Context | None = ALICE
) -> tuple[NetworkRequest, ...]:
    return ApiNeutron(api).validate(context, PROJECT, wanted, count)


def test_none_is_none(api: FakeNetworkApi) -> None:
    api.network("private", PROJECT)

    assert check(api, "none") == ()


@pytest.mark.parametrize("wanted", [None, "auto"])
def test_only_network_is_the_default(api: FakeNetworkApi, wanted: Wanted) -> None:
    network = api.network("private", PROJECT)
    api.network("foreign", "p2")
    api.network("public", "p2", external=True)

    assert check(api, wanted) == (NetworkRequest(network_id=network),)


def test_shared_network_is_the_default_too(api: FakeNetworkApi) -> None:
    network = api.network("shared", "p2", shared=True)

    assert check(api, None) == (NetworkRequest(network_id=network),)


@pytest.mark.parametrize("wanted", [None, "auto"])
def test_several_networks_are_ambiguous(api: FakeNetworkApi, wanted: Wanted) -> None:
    api.network("one", PROJECT)
    api.network("two", PROJECT)

    with pytest.raises(errors.NetworkAmbiguous):
        check(api, wanted)


def test_no_network_and_nothing_said_is_no_nic(api: FakeNetworkApi) -> None:
    assert check(api, None) == ()


def test_auto_is_tried_before_it_is_promised(api: FakeNetworkApi) -> None:
    with pytest.raises(errors.AutoAllocationImpossible, match="No default router:external network"):
        check(api, "auto")
    api.auto_network = "later"
    assert check(api, "auto") == (NetworkRequest(auto=True),)


@pytest.mark.parametrize("context", [ALICE, SERVICE])
def test_foreign_or_unknown_network(api: FakeNetworkApi, context: Context | None) -> None:
    for network in (api.network("foreign", "p2"), "unknown"):
        with pytest.raises(errors.NetworkNotFound, match=network):
            check(api, (NetworkRequest(network_id=network),), context=context)


def test_external_network_is_for_administrators(api: FakeNetworkApi) -> None:
    wanted = (NetworkRequest(network_id=api.network("public", "p2", external=True)),)

    with pytest.raises(Forbidden):
        check(api, wanted)
    assert check(api, wanted, context=ADMIN) == wanted


def test_network_without_subnet(api: FakeNetworkApi) -> None:
    with pytest.raises(errors.NetworkRequiresSubnet):
        check(api, (NetworkRequest(network_id=api.network("bare", PROJECT, cidr=None)),))


@pytest.mark.parametrize("address", ["10.9.0.5", "not an address", "fd00::1"])
def test_address_outside_the_network(api: FakeNetworkApi, address: str) -> None:
    network = api.network("private", PROJECT)

    with pytest.raises(errors.FixedIpInvalid, match=address):
        check(api, (NetworkRequest(network_id=network, fixed_ip=address),))


def test_address_in_use(api: FakeNetworkApi) -> None:
    network = api.network("private", PROJECT)
    api.user_port(network, "p2", fixed_ips=[{"ip_address": "10.0.0.5"}])

    with pytest.raises(errors.FixedIpInUse):
        check(api, (NetworkRequest(network_id=network, fixed_ip="10.0.0.5"),))
    free = (NetworkRequest(network_id=network, fixed_ip="10.0.0.6"),)
    assert check(api, free) == free


def test_port_brings_its_network(api: FakeNetworkApi) -> None:
    network = api.network("private", PROJECT)
    port = api.user_port(network, PROJECT)

    assert check(api, (NetworkRequest(port_id=port, tag="x"),)) == (
        NetworkRequest(port_id=port, network_id=network, tag="x"),
    )


def refusals() -> list[tuple[str, dict[str, object], type[KilonovaError]]]:
    return [
        ("in use", {"device_id": "other"}, errors.PortInUse),
        ("without address", {"fixed_ips": []}, errors.PortRequiresFixedIp),
        ("foreign", {"project_id": "p2"}, errors.PortNotFound),
    ]


@pytest.mark.parametrize(("_name", "changes", "error"), refusals())
def test_port_that_cannot_be_used(
    api: FakeNetworkApi, _name: str, changes: dict[str, object], error: type[KilonovaError]
) -> None:
    port = api.user_port(api.network("private", PROJECT), PROJECT)
    api.update("ports", port, changes)

    with pytest.raises(error, match=port):
        check(api, (NetworkRequest(port_id=port),))


def test_foreign_port_seen_by_the_service(api: FakeNetworkApi) -> None:
    port = api.user_port(api.network("private", PROJECT), "p2")

    with pytest.raises(errors.PortNotUsable):
        check(api, (NetworkRequest(port_id=port),), context=SERVICE)


def test_same_port_twice(api: FakeNetworkApi) -> None:
    port = api.user_port(api.network("private", PROJECT), PROJECT)

    with pytest.raises(errors.PortRequestedTwice):
        check(api, (NetworkRequest(port_id=port), NetworkRequest(port_id=port)))


def test_port_and_address_serve_one_server(api: FakeNetworkApi) -> None:
    network = api.network("private", PROJECT)
    port = api.user_port(network, PROJECT)

    with pytest.raises(errors.NotForMany, match=r"networks\.port"):
        check(api, (NetworkRequest(port_id=port),), count=2)
    with pytest.raises(errors.NotForMany, match=r"networks\.fixed_ip"):
        check(api, (NetworkRequest(network_id=network, fixed_ip="10.0.0.5"),), count=2)


def test_quota_counts_all_servers_and_nics(api: FakeNetworkApi) -> None:
    network = api.network("private", PROJECT)
    api.user_port(network, PROJECT)
    api.limit_ports(PROJECT, 5)
    two_nics = (NetworkRequest(network_id=network), NetworkRequest(network_id=network))

    assert check(api, two_nics, count=2) == two_nics
    with pytest.raises(OverQuota, match="Maximum number of ports exceeded"):
        check(api, two_nics, count=3)


def test_users_ports_do_not_count(api: FakeNetworkApi) -> None:
    port = api.user_port(api.network("private", PROJECT), PROJECT)
    api.limit_ports(PROJECT, 1)

    assert len(check(api, (NetworkRequest(port_id=port),))) == 1


def test_few_calls(api: FakeNetworkApi) -> None:
    network = api.network("private", PROJECT)
    calls: list[tuple[str, str]] = []
    api.interfere = lambda verb, resource: calls.append((verb, resource))

    check(api, (NetworkRequest(network_id=network),), count=10)

    assert calls == [("rows", "networks"), ("show", "quotas")]
