from kilonova.clients.neutron.facts import FixedIpFacts, PortFacts, SubnetFacts
from kilonova.kit import codec

PORT = PortFacts(
    id="0123456789abcdef",
    mac="fa:16:3e:00:00:01",
    network_id="fedcba9876543210",
    network_name="private",
    vif_type="bridge",
    fixed_ips=(FixedIpFacts(address="10.0.0.2", subnet=SubnetFacts(id="s", cidr="10.0.0.0/24", version=4)),),
)


def test_names_fit_into_the_kernels_fifteen_bytes() -> None:
    assert PORT.devname == "tap0123456789a"
    assert PORT.bridge == "brqfedcba98765"


def test_binding_names_the_bridge() -> None:
    assert codec.unpack({**codec.pack(PORT), "vif_details": {"bridge_name": "br-x"}}, PortFacts).bridge == "br-x"
    assert codec.unpack({**codec.pack(PORT), "vif_type": "ovs"}, PortFacts).bridge is None


def test_facts_survive_the_bus_and_the_database() -> None:
    assert codec.unpack(codec.loads(codec.dumps(codec.pack(PORT))), PortFacts) == PORT
