"""The README's tour of networks: a server is reached from this machine, and only as its security group says."""

import subprocess
from pathlib import Path

import pytest
from tests.system.first_light.newcomer import READY, Shell, eventually

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


def pings(address: str) -> bool:
    command = ["ping", "-c", "1", "-W", "1", address]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_network_subnet_port_router(shell: Shell) -> None:
    shell.run("network create net1")
    shell.run("subnet create --network net1 --subnet-range 10.99.0.0/24 sub1")
    port = shell.json("port create --network net1 --fixed-ip subnet=sub1,ip-address=10.99.0.77 port1")
    assert (port["status"], port["fixed_ips"][0]["ip_address"]) == ("DOWN", "10.99.0.77")
    shell.run("router create r1")
    shell.run("router add subnet r1 sub1")
    shell.run("router set --external-gateway public r1")
    assert shell.json("router show r1")["external_gateway_info"]["external_fixed_ips"]
    shell.run("server create --flavor m1.tiny --image tinyguest --port port1 --wait ported")
    assert shell.json("server show ported")["addresses"] == {"net1": ["10.99.0.77"]}
    assert "ip=10.99.0.77 " in shell.console("ported", READY)
    assert shell.value("port show port1", "status") == "ACTIVE"
    shell.refused("network delete net1", "in use")
    shell.run("server delete --wait ported")
    assert shell.value("port show port1", "status") == "DOWN"
    shell.run("port delete port1")
    shell.run("router remove subnet r1 sub1")
    shell.run("router delete r1")
    shell.run("network delete net1")
    assert [row["Name"] for row in shell.json("network list")] == ["public", "private"]


def test_a_floating_ip_and_security_group_lead_to_a_server(shell: Shell, tmp_path: Path) -> None:
    shell.run(f"keypair create --private-key {tmp_path}/key key1")
    (tmp_path / "key").chmod(0o600)
    shell.run("security group create web")
    create = "server create --flavor m1.tiny --image tinyguest --network private"
    shell.run(f"{create} --security-group web --key-name key1 --wait floats1")
    address = shell.value("floating ip create public", "floating_ip_address")
    shell.run(f"server add floating ip floats1 {address}")
    assert address in str(shell.json("server show floats1")["addresses"])
    shell.console("floats1", READY)
    assert not pings(address)
    shell.run("security group rule create --protocol icmp web")
    shell.run("security group rule create --protocol tcp --dst-port 22 web")
    eventually(lambda: pings(address), bool, 30)
    words = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=20"]
    command = ["ssh", "-i", f"{tmp_path}/key", *words, f"root@{address}", "hostname"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=90)
    assert done.stdout.strip() == "floats1", done.stderr
    shell.run(f"server remove floating ip floats1 {address}")
    eventually(lambda: pings(address), lambda yes: not yes, 30)
    eventually(lambda: str(shell.json("server show floats1")["addresses"]), lambda text: address not in text, 30)
    shell.run("server delete --wait floats1")
    for command_ in (f"floating ip delete {address}", "security group delete web", "keypair delete key1"):
        shell.run(command_)


def test_the_default_group_is_found_as_the_readme_says(shell: Shell) -> None:
    project = shell.value("project show admin", "id")
    group = shell.value(f"security group list --project {project}", "ID")
    assert len(group.split()) == 1
    assert {rule["Direction"] for rule in shell.json(f"security group rule list {group}")} == {"egress", "ingress"}


def test_networks_by_themselves_and_none(shell: Shell) -> None:
    shell.run("server create --flavor m1.tiny --image tinyguest --nic none --wait alone1")
    assert shell.json("server show alone1")["addresses"] == {}
    shell.run("server delete alone1")
    shell.refused(
        "server create --flavor m1.tiny --image tinyguest --network nowhere x", "No Network found for nowhere"
    )
