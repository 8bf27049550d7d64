"""Step 6 of `docs/install.md`: a guest on a Neutron network, from its port's binding to a ping of its floating IP."""

import subprocess

import pytest
from deployment.client import until
from tests.walk.site import READY_SECONDS, Site, answers

pytestmark = [pytest.mark.system, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def web1(site: Site) -> Site:
    """The cloud, with the guide's first server on a network."""
    site.once("Flavors", "Keys and rules", "A server")
    return site


def test_the_port_is_bound_and_plugged_as_neutron_says(web1: Site) -> None:
    server = web1.server("web1")
    (port,) = web1.ask(f"port list --server {server['id']}")
    shown = web1.ask(f"port show {port['ID']}")
    assert (shown["status"], shown["binding_vif_type"]) == ("ACTIVE", "ovs")
    assert shown["binding_host_id"] == server["OS-EXT-SRV-ATTR:host"]
    listed = subprocess.run(
        ["virsh", "-c", web1.libvirtd.uri, "domiflist", server["id"]], capture_output=True, text=True, check=True
    )
    assert port["MAC Address"] in listed.stdout


def test_the_build_waited_for_neutrons_word(web1: Site) -> None:
    """The events of the action, in their order: the host, the port's activity, and only then the guest runs."""
    server = web1.server("web1")["id"]
    path = f"/servers/{server}/os-instance-actions"
    (request,) = [row["request_id"] for row in web1.api("GET", path)["instanceActions"] if row["action"] == "create"]
    events = {each["event"]: each for each in web1.api("GET", f"{path}/{request}")["instanceAction"]["events"]}
    steps = ("ports", "plugged", "unpaused")
    ports, plugged, unpaused = (events[f"conductor_{name}"] for name in steps)
    host = events["compute__do_build_and_run_instance"]
    assert ports["finish_time"] <= host["start_time"]
    assert host["finish_time"] <= plugged["finish_time"] <= unpaused["start_time"]
    assert (plugged["result"], unpaused["result"]) == ("Success", "Success")


def test_address_mtu_and_metadata(web1: Site) -> None:
    server = web1.server("web1")
    (address,) = web1.addresses("web1")
    nic = web1.wrote("web1", r"^.*GUEST NIC eth0 (?P<mac>\S+) (?P<address>\S+)/24 mtu=(?P<mtu>\d+)")
    assert (nic["address"], nic["mtu"]) == (address, "1442")
    ready = web1.wrote("web1", r"^GUEST READY hostname=(\S+) ip=\S+ source=(\S+) uuid=(\S+)")
    assert ready.groups() == ("web1", "metadata", server["id"])
    web1.wrote("web1", "^GUEST TICK 2$")  # user data came as they were given


def test_a_floating_ip_answers_once_a_rule_allows_it(web1: Site) -> None:
    web1.follow("A floating IP")
    address = web1.floating("web1")
    assert not answers(address, count=1, seconds=5)
    web1.follow("A security group")
    assert answers(address)
    options = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=30"
    assert web1.shell(f"chmod 600 web.pem; ssh -q -i web.pem {options} root@{address} hostname") == "web1\n"


def test_a_hard_reboot_plugs_it_again(web1: Site) -> None:
    address = web1.floating("web1")
    web1.shell(". ./demo-openrc\nopenstack server reboot --hard --wait web1")
    assert answers(address, count=1, seconds=READY_SECONDS)


def test_another_nic_and_away_with_it(web1: Site) -> None:
    """The client does not wait for the end."""
    web1.wrote("web1", "^GUEST TICK 1$")
    web1.shell(". ./demo-openrc\nopenstack server add network web1 shared")
    web1.wrote("web1", r"GUEST NIC eth1 \S+ 10\.20\.0\.\d+/24 mtu=1442")
    web1.shell(". ./demo-openrc\nopenstack server remove network web1 shared")
    until("it has gone", lambda: list(web1.server("web1")["addresses"]) == ["private"], READY_SECONDS, pause=1)
