"""The README's tour of the operator, and flavors, images, groups."""

import hashlib
import os
from pathlib import Path

import pytest
from tests.system.first_light.newcomer import Shell

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


def test_services_and_hypervisors(shell: Shell) -> None:
    services = shell.json("compute service list")
    assert {row["Binary"] for row in services} == {"nova-conductor", "nova-scheduler", "nova-compute"}
    assert {row["State"] for row in services} == {"up"}
    host = next(row["Host"] for row in services if row["Binary"] == "nova-compute")
    hypervisor = shell.json("hypervisor list --long")[0]
    assert (hypervisor["Hypervisor Type"], hypervisor["State"]) == ("QEMU", "up")
    shown = shell.json(f"hypervisor show {hypervisor['Hypervisor Hostname']}")
    assert (shown["service_host"], shown["status"]) == (host, "enabled")
    shell.run(f"compute service set --disable --disable-reason maintenance {host} nova-compute")
    refused = "server create --flavor m1.tiny --image tinyguest --no-network --wait x1"
    shell.refused(refused)
    fault = shell.value("server show x1", "fault")
    assert "No valid host" in fault
    shell.run("server delete x1")
    shell.run(f"compute service set --enable {host} nova-compute")


def test_placement_knows_inventory_and_use(shell: Shell) -> None:
    provider = shell.json("resource provider list")[0]["uuid"]
    inventory = {row["resource_class"]: row for row in shell.json(f"resource provider inventory list {provider}")}
    assert set(inventory) >= {"VCPU", "MEMORY_MB", "DISK_GB"}
    assert inventory["VCPU"]["total"] == os.cpu_count()
    used = {row["resource_class"]: row["usage"] for row in shell.json(f"resource provider usage show {provider}")}
    first = shell.value("server show first", "id")
    mine = shell.json(f"resource provider allocation show {first}")[0]["resources"]
    assert mine == {"VCPU": 1, "MEMORY_MB": 256, "DISK_GB": 1}
    assert all(used[name] >= amount for name, amount in mine.items())
    found = shell.json("allocation candidate list --resource VCPU=1 --resource MEMORY_MB=256")
    assert [row["resource provider"] for row in found] == [provider]
    assert shell.json("allocation candidate list --resource VCPU=1000") == []


def test_flavors(shell: Shell) -> None:
    made = shell.json("flavor create --ram 128 --disk 1 --vcpus 1 --property hw_rng:allowed=True small2")
    assert made["properties"] == {"hw_rng:allowed": "True"}
    assert {"m1.tiny", "m1.small", "small2"} <= {row["Name"] for row in shell.json("flavor list")}
    shell.run("flavor set --property a=b --description words small2")
    shown = shell.json("flavor show small2")
    assert (shown["description"], shown["properties"]["a"]) == ("words", "b")
    shell.run("flavor unset --property a small2")
    assert "a" not in shell.json("flavor show small2")["properties"]
    shell.run("flavor create --private --ram 128 --disk 1 --vcpus 1 hidden")
    shell.refused("flavor show hidden", cloud="kilonova-demo")
    shell.run("flavor set --project demo hidden")
    shell.run("flavor show hidden", "kilonova-demo")
    shell.refused("flavor create --ram 1 --disk 1 --vcpus 1 x", "403", cloud="kilonova-demo")
    shell.run("flavor delete small2 hidden")
    shell.refused("flavor show small2", "No Flavor found for small2")


def test_keypairs(shell: Shell, tmp_path: Path) -> None:
    shell.run(f"keypair create --private-key {tmp_path}/key pair1")
    assert [row["Name"] for row in shell.json("keypair list")] == ["pair1"]
    public = shell.run("keypair show --public-key pair1").value
    (tmp_path / "key.pub").write_text(f"{public}\n")
    shell.run(f"keypair create --public-key {tmp_path}/key.pub pair2")
    assert shell.value("keypair show pair2", "fingerprint") == shell.value("keypair show pair1", "fingerprint")
    shell.refused(f"keypair create --public-key {tmp_path}/key.pub pair2", "409", "pair2")
    shell.run("keypair delete pair1 pair2")
    assert shell.json("keypair list") == []


def test_images(shell: Shell, tmp_path: Path) -> None:
    data = os.urandom(300_000)
    (tmp_path / "disk.raw").write_bytes(data)
    create = f"image create --disk-format raw --container-format bare --file {tmp_path}/disk.raw"
    made = shell.json(f"{create} --property os_distro=none raw1")
    assert (made["status"], made["checksum"]) == ("active", hashlib.md5(data, usedforsecurity=False).hexdigest())
    assert {"tinyguest", "raw1"} <= {row["Name"] for row in shell.json("image list --long")}
    shell.run(f"image save --file {tmp_path}/back.raw raw1")
    assert (tmp_path / "back.raw").read_bytes() == data
    shell.refused("image show raw1", "No Image found for raw1", cloud="kilonova-demo")
    shell.run("image delete raw1")


def test_aggregates_and_zones(shell: Shell) -> None:
    host = shell.json("hypervisor list")[0]["Hypervisor Hostname"]
    shell.run("aggregate create --property ssd=true fast")
    shell.run(f"aggregate add host fast {host}")
    assert shell.json("aggregate show fast")["hosts"] == [host]
    shell.refused(f"aggregate add host fast {host}", "409")
    shell.refused("aggregate delete fast", "it has hosts")
    zones = {row["Zone Name"]: row["Zone Status"] for row in shell.json("availability zone list --compute")}
    assert zones["nova"] == "available"
    shell.run(f"aggregate remove host fast {host}")
    shell.run("aggregate delete fast")


def test_anti_affinity_has_room_for_one_on_one_host(shell: Shell) -> None:
    group = shell.json("server group create --policy anti-affinity apart")["id"]
    create = f"server create --flavor m1.tiny --image tinyguest --no-network --hint group={group} --wait"
    shell.run(f"{create} apart1")
    shell.refused(f"{create} apart2")
    fault = shell.value("server show apart2", "fault")
    assert "No valid host" in fault
    assert "anti-affinity" in fault.lower()
    assert shell.value("server show apart1", "id") in shell.run(f"server group show {group}").out
    shell.run("server delete apart1 apart2")
    shell.run(f"server group delete {group}")


def test_quotas_hold_and_name_numbers(shell: Shell) -> None:
    demo = "kilonova-demo"
    limits = {row["Resource"]: row["Limit"] for row in shell.json("quota show", demo)}
    assert (limits["instances"], limits["cores"]) == (10, 20)
    shell.run("quota set --instances 1 --cores 3 demo")
    create = "server create --flavor m1.tiny --image tinyguest --no-network"
    text = shell.refused(f"{create} --min 2 --max 2 q", "403", "instances", cloud=demo)
    assert "2" in text
    assert "1" in text
    shell.refused("server create --flavor m1.large --image tinyguest --no-network q", "403", "cores", cloud=demo)
    shell.run("quota delete demo")
    assert {row["Resource"]: row["Limit"] for row in shell.json("quota show", demo)}["instances"] == 10


def test_a_plain_user_sees_only_their_own(shell: Shell) -> None:
    first = shell.value("server show first", "id")
    demo = "kilonova-demo"
    assert shell.json("server list", demo) == []
    for command in (f"server show {first}", f"console log show {first}", f"server stop {first}"):
        shell.refused(command, first, cloud=demo)
    shell.refused(f"server delete {first}", cloud=demo)
    for command in ("hypervisor list", "compute service list", "aggregate list", "server list --all-projects"):
        shell.refused(command, "403", cloud=demo)
    assert shell.value("server show first", "status") == "ACTIVE"


def test_wrong_commands_say_what_is_wrong(shell: Shell) -> None:
    create = "server create --image tinyguest --no-network"
    shell.refused(f"{create} --flavor m1.none x", "No Flavor found for m1.none")
    shell.run("flavor create --ram 999999 --disk 1 --vcpus 1 huge")
    shell.run("quota set --ram -1 admin")
    shell.refused(f"{create} --flavor huge --wait huge1")
    assert "No valid host" in shell.value("server show huge1", "fault")
    shell.run("server delete huge1")
    shell.run("quota delete admin")
    shell.run("flavor delete huge")
    shell.refused("flavor create --ram 1 --disk 1 --vcpus 0 zero", "400", "vcpus")
    shell.refused("server reboot nothere", "No Server found for nothere")
