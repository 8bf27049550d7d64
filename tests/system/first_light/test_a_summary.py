"""What ``kilonova up`` says at its end is true, and its commands work as they stand."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from tests.system.first_light.newcomer import READY, Newcomer, Shell, openstack

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


def test_it_shows_an_active_server_and_its_ready_line(cloud: Newcomer, shell: Shell) -> None:
    name, ident = cloud.first.line("Server").split()
    found = shell.json(f"server show {ident}")
    assert name == found["name"] == "first"
    assert cloud.first.line("Status") == found["status"] == "ACTIVE"
    address = cloud.first.line("Address")
    assert found["addresses"] == {"private": [address]}
    ready = next(line for line in cloud.first.text.splitlines() if READY in line)
    assert f"ip={address} " in ready
    assert f"uuid={ident} " in ready
    assert ready.strip() in shell.run("console log show first").out
    assert "\x1b" not in cloud.first.text
    assert re.fullmatch(r"http://127\.0\.0\.1:26080/vnc_lite\.html\?path=.*token.*", cloud.first.line("Console URL"))


def test_it_says_how_guests_are_run(cloud: Newcomer) -> None:
    has_feature = re.search(r"^flags.*\b(vmx|svm)\b", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    if not has_feature:
        assert "virt_type = qemu" in cloud.first.text
        assert "neither vmx nor svm" in cloud.first.text
    assert re.search(r"^\[ +\d+\.\ds\] starting the cloud$", cloud.first.text, re.MULTILINE)


def test_its_three_commands_work_as_they_stand(cloud: Newcomer) -> None:
    commands = cloud.first.commands
    assert len(commands) == 3
    for command in commands:
        words = shlex.split(command)
        assert words[0] == "openstack"
        done = openstack(*words[1:])
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    assert openstack("server", "delete", "--wait", "web1").returncode == 0


def test_logins_are_readable_by_their_owner_only(cloud: Newcomer) -> None:
    assert cloud.clouds.stat().st_mode & 0o777 == 0o600
    assert (cloud.state / "secrets.json").stat().st_mode & 0o077 == 0
    assert (cloud.state / "nova.conf").stat().st_mode & 0o077 == 0
    assert openstack("project", "list", cloud="kilonova-demo").returncode == 0


def test_up_again_leaves_all_as_it_is(cloud: Newcomer) -> None:
    before = cloud.pid()
    again = cloud.up()
    assert cloud.pid() == before
    assert "the cloud runs already" in again.text
    assert again.line("Server") == cloud.first.line("Server")
    assert again.line("Status") == "ACTIVE"
    assert len([line for line in again.text.splitlines() if READY in line]) == 1
    other = cloud.kilonova("up", "--port-offset", "1")
    assert other.returncode == 1
    assert "runs with --port-offset 20000" in other.stderr


def test_status_names_what_runs(cloud: Newcomer) -> None:
    done = cloud.kilonova("status")
    assert done.returncode == 0
    assert f"kilonova     pid {cloud.pid()}" in done.stdout


def test_one_command_at_a_time(cloud: Newcomer) -> None:
    holder = ["flock", "/run/kilonova/lock", "sh", "-c", "echo held; read _"]
    with subprocess.Popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as held:
        assert held.stdout is not None
        assert held.stdout.readline() == "held\n"
        done = cloud.kilonova("down")
    assert done.returncode == 1
    assert "Another `kilonova up` or `kilonova down` is at work" in done.stderr
