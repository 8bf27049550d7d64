from kilonova.clients.neutron.api import Row
from kilonova.clients.neutron.fake import FakeNetworkApi
from kilonova.clients.neutron.reading import MARK, by, network_of, port_facts, project_of, subnet_of


def test_many_ids_are_asked_for_in_batches() -> None:
    api = FakeNetworkApi()
    ids = [api.security_group(f"g{number}", "p") for number in range(250)]
    calls: list[str] = []
    api.interfere = lambda _verb, resource: calls.append(resource)

    assert {row["id"] for row in by(api, "security_groups", "id", ids)} == set(ids)
    assert len(calls) == 3


def test_nothing_wanted_is_nothing_asked() -> None:
    api = FakeNetworkApi()
    calls: list[str] = []
    api.interfere = lambda _verb, resource: calls.append(resource)

    assert by(api, "ports", "id", []) == []
    assert port_facts(api, [], {}) == ()
    assert calls == []


def test_bare_rows_have_defaults() -> None:
    assert network_of({"id": "n"}).port_security is True
    assert project_of({"tenant_id": "old"}) == "old"
    assert project_of({"project_id": ""}) is None
    subnet = subnet_of({"id": "s", "cidr": "fd00::/64", "ip_version": 6, "dns_nameservers": None})
    assert (subnet.gateway, subnet.dns, subnet.dhcp) == (None, (), True)


def test_port_without_binding_extension_is_unbound() -> None:
    row: Row = {"id": "p", "mac_address": "m", "network_id": "gone", "fixed_ips": []}

    (port,) = port_facts(FakeNetworkApi(), [row], {})

    assert (port.vif_type, port.host, port.network_name, port.created) == ("unbound", None, "", False)


def test_mark_tells_who_made_the_port() -> None:
    row: Row = {"id": "p", "mac_address": "m", "network_id": "n", "binding:profile": {MARK: True}}

    assert port_facts(FakeNetworkApi(), [row], {"p": "tag"})[0].created is True
