"""The lab's networks on real bridges, with namespaces as guests."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest

from kilonova.lab.networks.metadata_proxy import signature
from kilonova.lab.networks.processes import ended

if TYPE_CHECKING:
    from tests.system.lab_networks.conftest import Lab, Maker

pytestmark = pytest.mark.system


class _Metadata(BaseHTTPRequestHandler):
    """Stands where compute's metadata service is; remembers what it was told."""

    seen: ClassVar[list[dict[str, str]]] = []

    def do_GET(self) -> None:
        self.seen.append({**{k.lower(): v for k, v in self.headers.items()}, ":path": self.path})
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"metadata of " + self.headers["X-Instance-ID"].encode())

    def log_message(self, *_args: object) -> None:
        pass


def test_a_guest_gets_its_address_by_dhcp_and_reaches_its_gateway(lab: "Lab") -> None:
    guest = lab.guest(dns_name="web1")
    said = guest.dhcp()
    assert f"ip={guest.address}" in said
    assert "router=10.10.0.1" in said
    assert "dns=10.10.0.2" in said
    assert "mtu=1500" in said
    assert "169.254.169.254/32 10.10.0.2" in said
    assert guest.pings("10.10.0.1")
    assert "web1" in guest.run("busybox", "nslookup", "web1.kilonova.internal", "10.10.0.2").stdout


def test_an_unknown_mac_gets_no_address(lab: "Lab") -> None:
    guest = lab.guest(port_security_enabled=False)
    guest.run("ip", "link", "set", "eth0", "address", "fa:16:3e:00:00:01")
    client = ("busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t", "2", "-T", "1", "-s", str(guest.script))
    assert guest.run(*client, check=False).returncode != 0


def test_metadata_reaches_compute_with_the_instance_named_and_signed(lab: "Lab") -> None:
    server = HTTPServer(("127.0.0.1", 18775), _Metadata)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        guest = lab.guest(device_id="0b5a3a0e-1111-4222-8333-444444444444")
        guest.dhcp()
        url = "http://169.254.169.254/latest/meta-data/?x=1"
        answer = guest.run("curl", "-sS", "--max-time", "5", "-H", "X-Instance-ID: other", url).stdout
        assert answer == "metadata of 0b5a3a0e-1111-4222-8333-444444444444"
        told = _Metadata.seen[-1]
        assert told[":path"] == "/latest/meta-data/?x=1"
        assert told["x-forwarded-for"] == guest.address
        assert told["x-tenant-id"] == "demo"
        assert told["x-instance-id-signature"] == signature(lab.secret, "0b5a3a0e-1111-4222-8333-444444444444")
        # Through the default route alone, as a client that ignores classless routes would.
        guest.run("ip", "route", "delete", "169.254.169.254")
        assert guest.run("curl", "-sS", "--max-time", "5", url).stdout == answer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_rules_decide_what_comes_in_from_the_host(lab: "Lab") -> None:
    guest = lab.guest()
    guest.dhcp()
    assert not lab.host_pings(guest.address)
    rule = lab.rule(protocol="icmp")
    assert lab.host_pings(guest.address)
    lab.call("DELETE", f"/security-group-rules/{rule}")
    assert not lab.host_pings(guest.address)


def test_rules_decide_what_guests_on_one_bridge_may_say(lab: "Lab") -> None:
    if not lab.lab.abilities().bridged_filter:
        pytest.skip("this kernel has no br_netfilter")
    group = lab.call("POST", "/security-groups", {"security_group": {"name": "closed"}})["security_group"]
    one, two, closed = lab.guest(), lab.guest(), lab.guest(security_groups=[group["id"]])
    for guest in (one, two, closed):
        guest.dhcp()
    assert one.pings(two.address), "members of the default group reach each other"
    assert not one.pings(closed.address)
    assert closed.pings(one.address) is False, "and nothing comes in from outside the group"
    rule = {"security_group_id": group["id"], "direction": "ingress", "protocol": "icmp"}
    lab.call("POST", "/security-group-rules", {"security_group_rule": rule})
    assert one.pings(closed.address)


def test_a_guest_cannot_borrow_an_address_or_a_mac(lab: "Lab") -> None:
    if not lab.lab.abilities().anti_spoofing:
        pytest.skip("nftables has no bridge family here")
    guest = lab.guest()
    guest.dhcp()
    assert guest.pings("10.10.0.1")
    guest.run("ip", "address", "flush", "dev", "eth0")
    guest.run("ip", "address", "add", "10.10.0.77/24", "dev", "eth0")
    assert not guest.pings("10.10.0.1")
    guest.run("ip", "address", "flush", "dev", "eth0")
    guest.run("ip", "address", "add", f"{guest.address}/24", "dev", "eth0")
    assert guest.pings("10.10.0.1")
    guest.run("ip", "link", "set", "eth0", "address", "fa:16:3e:00:00:09")
    assert not guest.pings("10.10.0.1")


def test_a_floating_ip_leads_to_the_guest_and_stops_leading(lab: "Lab") -> None:
    guest = lab.guest()
    guest.dhcp()
    lab.rule(protocol="icmp")
    body = {"floating_network_id": lab.public_id, "port_id": guest.port["id"]}
    floating = lab.call("POST", "/floatingips", {"floatingip": body})["floatingip"]
    assert floating["status"] == "ACTIVE"
    assert lab.host_pings(floating["floating_ip_address"])
    lab.call("PUT", f"/floatingips/{floating['id']}", {"floatingip": {"port_id": None}})
    assert not lab.host_pings(floating["floating_ip_address"])


def test_a_neighbour_reaches_the_floating_ip_of_a_guest(lab: "Lab") -> None:
    one, two = lab.guest(), lab.guest()
    for guest in (one, two):
        guest.dhcp()
    lab.rule(protocol="icmp")
    body = {"floating_network_id": lab.public_id, "port_id": two.port["id"]}
    floating = lab.call("POST", "/floatingips", {"floatingip": body})["floatingip"]
    assert one.pings(floating["floating_ip_address"])


def test_guests_reach_the_world_through_the_router_with_the_host_s_address(lab: "Lab") -> None:
    world = f"kng-world-{lab.network_id[:6]}"
    lab.sh("ip", "netns", "add", world)
    try:
        lab.sh("ip", "link", "add", "uplink", "type", "veth", "peer", "name", "eth0", "netns", world)
        lab.sh("ip", "address", "add", "198.51.100.1/24", "dev", "uplink")
        lab.sh("ip", "link", "set", "uplink", "up")
        lab.sh("ip", "-n", world, "address", "add", "198.51.100.2/24", "dev", "eth0")
        lab.sh("ip", "-n", world, "link", "set", "eth0", "up")
        guest = lab.guest()
        guest.dhcp()
        # The world has no route back to 10.10.0.0/24: an answer means that the host translated.
        assert guest.pings("198.51.100.2")
        refused = lab.call("POST", "/networks", {"network": {"name": "clash"}})["network"]
        subnet = {"network_id": refused["id"], "cidr": "198.51.100.0/25"}
        said = lab.call("POST", "/subnets", {"subnet": subnet}, status=400)
        assert "this host uses itself" in said["NeutronError"]["message"]
    finally:
        lab.sh("ip", "netns", "delete", world)


def test_networks_without_a_common_router_do_not_reach_each_other(lab: "Lab") -> None:
    other = lab.call("POST", "/networks", {"network": {"name": "other"}})["network"]["id"]
    subnet = lab.call("POST", "/subnets", {"subnet": {"network_id": other, "cidr": "10.20.0.0/24"}})["subnet"]
    near, far = lab.guest(), lab.guest(network_id=other)
    for guest in (near, far):
        guest.dhcp()
    lab.rule(protocol="icmp")
    assert not near.pings(far.address)
    router = lab.call("GET", "/routers")["routers"][0]["id"]
    lab.call("PUT", f"/routers/{router}/add_router_interface", {"subnet_id": subnet["id"]})
    assert near.pings(far.address)
    lab.call("PUT", f"/routers/{router}/remove_router_interface", {"subnet_id": subnet["id"]})
    assert not near.pings(far.address)


def test_a_reboot_and_a_restart_bring_everything_back(make_lab: "Maker") -> None:
    first = make_lab()
    guest = first.guest()
    guest.dhcp()
    # What a reboot leaves of the host: nothing.
    first.lab.teardown()
    assert not guest.pings("10.10.0.1")
    first.lab.sync()
    tap = f"tap{guest.port['id'][:11]}"
    first.sh("ip", "link", "set", tap, "master", guest.port["binding:vif_details"]["bridge_name"], "up")
    assert guest.pings("10.10.0.1")
    assert f"ip={guest.address}" in guest.dhcp()
    before = first.sh("ip", "-json", "address", "show")
    first.lab.sync()
    assert first.sh("ip", "-json", "address", "show").count("kn-") == before.count("kn-")


def test_an_address_given_back_goes_to_the_next_guest_at_once(lab: "Lab") -> None:
    first = lab.guest()
    first.dhcp()
    lab.call("DELETE", f"/ports/{first.port['id']}")
    second = lab.guest(fixed_ips=[{"ip_address": first.address}])
    assert f"ip={first.address}" in second.dhcp()


def test_teardown_leaves_nothing_of_ours(lab: "Lab", tmp_path: Path) -> None:
    lab.guest().dhcp()
    pids = [int(path.read_text()) for path in (tmp_path / "state").rglob("pid")]
    assert pids
    lab.lab.teardown()
    assert "kn-" not in lab.sh("ip", "link", "show")
    assert "kilonova" not in lab.sh("nft", "list", "tables")
    assert all(ended(pid) for pid in pids)
    assert Path("/proc/sys/net/ipv4/ip_forward").read_text().strip() == "0"
