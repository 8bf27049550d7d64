"""Killed, stopped, forgotten, begun anew: ``kilonova up`` and ``down`` can be run at any time."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.system.first_light.newcomer import OFFSET, PROGRAMS, READY, Newcomer, Shell, eventually

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

BOOT = "server create --flavor m1.tiny --image tinyguest --network private"


def sh(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def bridges_and_taps() -> list[str]:
    links = json.loads(sh("ip", "-json", "link", "show"))
    ours = ("tap", "vnet")
    return [
        link["ifname"]
        for link in links
        if link["ifname"].startswith(ours) or str(link.get("ifalias", "")).startswith("kilonova:")
    ]


def guests(cloud: Newcomer) -> list[str]:
    return [line for line in cloud.processes() if line.startswith(("/usr/bin/qemu-system", "qemu-system"))]


def test_killed_in_the_middle_of_work_it_goes_on(cloud: Newcomer, shell: Shell) -> None:
    before = guests(cloud)
    assert before
    shell.run(f"{BOOT} midway1")
    os.kill(cloud.pid(), signal.SIGKILL)
    again = cloud.up()
    assert "starting the cloud" in again.text
    assert again.line("Status") == "ACTIVE"
    assert set(before) <= set(guests(cloud))
    shell.status("midway1", "ACTIVE")
    assert shell.value("server show midway1", "OS-EXT-STS:task_state") == "None"
    shell.run("server delete midway1")
    os.kill(cloud.pid(), signal.SIGKILL)
    cloud.up()
    eventually(lambda: [row["Name"] for row in shell.json("server list")], lambda names: "midway1" not in names, 60)


def test_down_turns_guests_off_and_up_brings_them_back(cloud: Newcomer, shell: Shell) -> None:
    shell.run(f"{BOOT} --wait kept1")
    shell.console("kept1", READY)
    text = cloud.down()
    assert "shutting down instance-" in text
    assert "ending guest" not in text
    assert cloud.processes() == []
    assert bridges_and_taps() == []
    assert cloud.down() != ""
    again = cloud.up()
    assert "the server first is SHUTOFF: start" in again.text
    assert again.line("Server") == cloud.first.line("Server")
    assert shell.value("server show kept1", "status") == "SHUTOFF"
    shell.run("server start kept1")
    shell.status("kept1", "ACTIVE")
    shell.run("server delete kept1")


def test_a_plain_user_is_told_to_be_root(cloud: Newcomer, tmp_path: Path) -> None:
    nobody = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
    if subprocess.run([*nobody, str(PROGRAMS / "python"), "-c", "0"], check=False, capture_output=True).returncode:
        pytest.skip("a plain user cannot read this checkout")
    for command in ("up", "down"):
        done = cloud.kilonova(command, prefix=nobody)
        assert done.returncode == 1
        assert f"`kilonova {command}` needs root" in done.stderr
        assert "Traceback" not in done.stderr


def test_another_state_directory_is_refused_while_it_is_up(cloud: Newcomer, tmp_path: Path) -> None:
    other = Newcomer(state=tmp_path / "other", clouds=tmp_path / "clouds.yaml")
    done = other.kilonova(*other.up_words)
    assert done.returncode == 1
    assert f"Another cloud is up on this machine; stop it first: kilonova down --state {cloud.state}" in done.stderr


def test_purge_leaves_nothing(cloud: Newcomer) -> None:
    cloud.clouds.write_text(cloud.clouds.read_text() + "  mine:\n    auth: {}\n")
    cloud.down("--purge")
    assert not cloud.state.exists()
    assert cloud.clouds.read_text().split() == ["clouds:", "mine:", "auth:", "{}"]
    cloud.clouds.unlink()
    assert cloud.processes() == []
    assert bridges_and_taps() == []
    assert "kilonova" not in sh("nft", "list", "tables")
    assert "no cloud" in cloud.down("--purge")


def test_a_directory_of_others_is_neither_used_nor_forgotten(newcomer: Newcomer, tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("dear")
    other = Newcomer(state=tmp_path, clouds=tmp_path / "clouds.yaml")
    for words in (other.up_words, ("down", "--purge")):
        done = other.kilonova(*words)
        assert done.returncode == 1
        assert f"{tmp_path} holds other things" in done.stderr
    assert (tmp_path / "letter").read_text() == "dear"


def test_taken_ports_are_named(newcomer: Newcomer) -> None:
    with socket.create_server(("127.0.0.1", 8774 + OFFSET)):
        done = newcomer.kilonova(*newcomer.up_words)
    assert done.returncode == 1
    assert f"Ports {8774 + OFFSET} are in use by other programs" in done.stderr
    assert "--port-offset" in done.stderr
    assert newcomer.processes() == []


def test_missing_programs_are_named_with_their_package(newcomer: Newcomer) -> None:
    nft = shutil.which("nft", path="/usr/sbin:/sbin")
    assert nft
    hide = ("unshare", "--mount", "sh", "-c", f'mount --bind /dev/null {nft} && exec "$@"', "sh")
    done = newcomer.kilonova(*newcomer.up_words, prefix=hide)
    assert done.returncode == 1
    assert "Cannot run nft (package nftables)" in done.stderr
    assert newcomer.processes() == []


@pytest.mark.parametrize("moment", ["starting libvirtd", "starting the cloud", "booting the server"])
def test_interrupted_and_run_again(newcomer: Newcomer, moment: str) -> None:
    # Tests that a shell runs in the background have SIGINT ignored.
    command = ["env", "--default-signal=INT", sys.executable, "-u", str(PROGRAMS / "kilonova")]
    command += [*newcomer.up_words, "--state", str(newcomer.state)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert any(moment in line for line in process.stdout)
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(60) == 130
        assert "interrupted; run it again" in process.stderr.read()
    if moment == "booting the server":
        again = newcomer.up()
        assert again.line("Status") == "ACTIVE"
        assert READY in again.text
    newcomer.down("--purge")
    assert newcomer.processes() == []
