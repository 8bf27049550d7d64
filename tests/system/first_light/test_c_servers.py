"""The README's tour of servers, with the client as it is shipped."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.system.first_light.newcomer import READY, Newcomer, Shell, eventually

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

USER_DATA = "#!/bin/sh\necho USERDATA SAYS hello from $(hostname)\n"
SCRIPT = """\
import openstack

cloud = openstack.connect(cloud="kilonova")
server = cloud.create_server("sdk1", image="tinyguest", flavor="m1.tiny", network="private", wait=True)
print(server.status, server.addresses)
cloud.delete_server("sdk1", wait=True)
print([found.name for found in cloud.compute.servers()])
"""


@pytest.fixture(scope="module")
def web1(shell: Shell) -> str:
    """A server with a key pair, user data and a config drive."""
    create = "server create --flavor m1.tiny --image tinyguest --network private"
    shell.run(f"{create} --wait web1")
    return "web1"


def test_create_list_show(shell: Shell, web1: str) -> None:
    row = next(row for row in shell.json("server list --long") if row["Name"] == web1)
    assert (row["Status"], row["Flavor"], row["Image Name"]) == ("ACTIVE", "m1.tiny", "tinyguest")
    shown = shell.json(f"server show {web1}")
    assert shown["addresses"] == row["Networks"]
    assert shown["OS-EXT-SRV-ATTR:host"] == row["Host"] != ""
    assert [row["Name"] for row in shell.json("server list --name ^web")] == [web1]
    assert shell.json("server list --status SHUTOFF") == []


def test_console_log(shell: Shell, web1: str) -> None:
    assert "hostname=web1 " in shell.console(web1, READY)
    assert len(shell.run(f"console log show --lines 2 {web1}").out.strip().splitlines()) <= 2


def test_pause_suspend_stop_start(shell: Shell, web1: str) -> None:
    steps = (
        ("pause", "PAUSED"),
        ("unpause", "ACTIVE"),
        ("suspend", "SUSPENDED"),
        ("resume", "ACTIVE"),
        ("stop", "SHUTOFF"),
        ("start", "ACTIVE"),
    )
    for verb, status in steps:
        shell.run(f"server {verb} {web1}")
        shell.status(web1, status)
    for verb in ("start", "unpause", "resume"):
        shell.refused(f"server {verb} {web1}", "409", f"Cannot '{verb}'", "active")


def test_reboots(shell: Shell, web1: str) -> None:
    def boots() -> int:
        return shell.run(f"console log show {web1}").out.count(READY)

    for kind in ("--hard", "--soft"):
        before = boots()
        shell.run(f"server reboot {kind} --wait {web1}")
        eventually(boots, lambda count, before=before: count > before, 90)  # type: ignore[misc]


def test_a_lock_holds_for_plain_users(shell: Shell) -> None:
    demo = "kilonova-demo"
    shell.run("server create --flavor m1.tiny --image tinyguest --no-network --wait locked1", demo)
    shell.run('server lock --reason "do not touch" locked1', demo)
    assert shell.value("server show locked1", "locked_reason", demo) == "do not touch"
    shell.refused("server stop locked1", "409", "is locked", cloud=demo)
    shell.refused("server delete locked1", "is locked", cloud=demo)
    shell.run("server unlock locked1", demo)
    shell.run("server delete locked1", demo)


def test_image_of_a_server_boots(shell: Shell, web1: str, tmp_path: Path) -> None:
    shell.run(f"server image create --wait --name web1-copy {web1}")
    image = shell.json("image show web1-copy")
    assert image["status"] == "active"
    assert image["properties"]["image_type"] == "snapshot"
    shell.run(f"image save --file {tmp_path}/copy.img web1-copy")
    assert (tmp_path / "copy.img").stat().st_size == image["size"]
    shell.run("server create --flavor m1.tiny --image web1-copy --network private --wait web1b")
    assert "hostname=web1b " in shell.console("web1b", READY)
    shell.run("server delete web1b")
    shell.run("image delete web1-copy")


def test_events_tell_what_was_done(shell: Shell, web1: str) -> None:
    for verb, status in (("pause", "PAUSED"), ("unpause", "ACTIVE")):
        shell.run(f"server {verb} {web1}")
        shell.status(web1, status)
    events = shell.json(f"server event list --long {web1}")
    actions = [event["Action"] for event in events]
    assert (actions[-1], actions[:2]) == ("create", ["unpause", "pause"])
    create = next(event for event in events if event["Action"] == "create")
    shown = shell.json(f"server event show {web1} {create['Request ID']}")
    assert shown["action"] == "create"
    assert all(step["result"] == "Success" for step in shown["events"])
    assert len(shown["events"]) >= 1


def test_key_and_user_data_reach_the_guest(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "hello.sh").write_text(USER_DATA)
    shell.run(f"keypair create --private-key {tmp_path}/key keyed")
    assert (tmp_path / "key").read_text().startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    create = "server create --flavor m1.tiny --image tinyguest --network private --key-name keyed"
    ways = {"drive1": ("--use-config-drive", "config-drive"), "service1": ("--no-config-drive", "metadata")}
    for name, (option, _) in ways.items():
        shell.run(f"{create} {option} --user-data {tmp_path}/hello.sh {name}")
    for name, (_, source) in ways.items():
        text = shell.console(name, "GUEST USERDATA exit=0")
        assert f"USERDATA SAYS hello from {name}" in text
        assert f"hostname={name} " in text
        assert f"source={source} " in text
        assert shell.value(f"server show {name}", "key_name") == "keyed"
        shell.run(f"server delete {name}")
    shell.run("keypair delete keyed")


def test_many_at_once_and_properties_and_tags(shell: Shell) -> None:
    shell.run(
        "server create --flavor m1.tiny --image tinyguest --no-network --min 2 --max 2 --property role=web "
        "--tag blue --os-compute-api-version 2.52 --wait many"
    )
    names = sorted(row["Name"] for row in shell.json("server list --name many"))
    assert names == ["many-1", "many-2"]
    shell.run("server set --name other --property role=db --description words many-1")
    shown = shell.json("server show other")
    assert (shown["description"], shown["tags"]) == ("words", ["blue"])
    assert shown["properties"] == {"role": "db"}
    shell.run("server unset --property role --tag blue other")
    assert shell.json("server show other")["properties"] == {}
    shell.run("server delete other many-2")


def test_a_script_with_openstacksdk(cloud: Newcomer) -> None:
    environ = {"PATH": os.environ["PATH"], "OS_CLIENT_CONFIG_FILE": str(cloud.clouds)}
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False, env=environ)
    assert done.returncode == 0, done.stderr
    status, names = done.stdout.splitlines()
    assert status.startswith("ACTIVE {'private': [{")
    assert "sdk1" not in names
    assert "'first'" in names


def test_delete_leaves_nothing(cloud: Newcomer, shell: Shell, web1: str) -> None:
    ident = shell.value(f"server show {web1}", "id")
    shell.run(f"server delete --wait {web1}")
    shell.refused(f"server show {web1}", "No Server found for web1")
    assert [row["ID"] for row in shell.json("port list --long") if ident in str(row)] == []
    assert not [line for line in cloud.processes() if ident in line]
    assert not list(cloud.state.rglob(f"*{ident}*"))
    provider = shell.json("resource provider list")[0]["uuid"]
    shown = shell.json(f"resource provider show --allocations {provider}")
    assert ident not in shown["allocations"]
