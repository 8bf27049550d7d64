"""Steps 0 to 4 of `docs/install.md` by a real systemd: users, directories, sandboxes, readiness, watchdog."""

import re
import subprocess
from collections.abc import Iterator

import pytest
from deployment.client import until
from deployment.guide import GUIDE, Block, Host, blocks, commands, here
from deployment.stack import ROOT, Stack, fresh_databases
from tests.walk.booted import SYSTEMD, Booted, CannotBoot
from tests.walk.site import say

from kilonova.cli.host import packages

pytestmark = [pytest.mark.system, pytest.mark.timeout(1200)]
CONTROL = ("placement-api", "nova-api", "nova-scheduler", "nova-conductor", "nova-novncproxy")
OTHERS = ("nova-compute", "nova-spicehtml5proxy", "nova-serialproxy")
UNITS = (*CONTROL, *OTHERS)
USERS = {"placement-api": "placement", "nova-compute": "root"}
"""Others are ``nova``."""
PACKAGES = (
    "systemd",
    "python3-venv",
    "python3-dev",
    "gcc",
    "libc6-dev",
    "pkg-config",
    "libvirt-dev",
    "novnc",
    "spice-html5",
    "logrotate",
)
HERE = """
[DEFAULT]
graceful_shutdown_timeout = 20

[libvirt]
virt_type = qemu
"""
SECRETS = ("dbpass", "mqpass", "servicepass", "metadatasecret")
WATCHDOG_SECONDS = 60


@pytest.fixture(scope="module")
def guide() -> list[Block]:
    return blocks(GUIDE.read_text())


@pytest.fixture(scope="module")
def machine(core: Stack, guide: list[Block], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    """Programs, users and units are there by step 0, the files by step 1."""
    directory = tmp_path_factory.mktemp("booted")
    packages.ensure(PACKAGES, directory / "apt.log", say)
    if not SYSTEMD.exists():
        pytest.skip("this machine has no systemd")
    fresh_databases("nova", "nova_api", "nova_cell0", "placement")
    found = Booted(directory)
    try:
        try:
            found.up()
        except CannotBoot as error:
            pytest.skip(f"systemd cannot be started in namespaces here: {error}")
        _install(found, guide)
        yield found
    finally:
        found.down()


def _install(machine: Booted, guide: list[Block]) -> None:
    """The checkout's own files, as git has them and as they are now, are where the guide's commands expect them."""
    names = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", "-z"], capture_output=True, check=True
    )
    packed = machine.directory / "kilonova.tar"
    there = b"\0".join(name for name in names.stdout.split(b"\0") if (ROOT / name.decode()).is_file())
    subprocess.run(["tar", "-C", str(ROOT), "--null", "-T", "-", "-cf", str(packed)], input=there, check=True)
    with packed.open("rb") as archive:
        machine.feed("mkdir -p /srv/kilonova && tar -C /srv/kilonova --no-same-owner -xf -", archive)
    packed.unlink()
    links = "find /usr/local/bin -maxdepth 1 -type l -name '{}*' -delete"
    for name in ("kilonova", "nova", "placement"):  # of an installation on the machine outside
        order(machine, f"{links.format(name)}; rm -rf /etc/{name} /opt/{name} /var/log/{name}")
    (block,) = [b for b in guide if b.step.startswith("0.") and b.language == "shell"]
    say("installing by step 0; this takes a minute")
    order(machine, f"cd /srv\n{block.text}", seconds=900)
    for block in (b for b in guide if b.language == "ini" and b.step.startswith("1.") and b.words[1] == "controller"):
        machine.write(block.words[0], here(block.text))
    machine.write("/etc/nova/nova.conf.d/here.conf", HERE)
    order(machine, "systemctl start libvirtd")  # as the distribution ships it, QEMU's own user included
    order(machine, "chgrp -R nova /etc/nova/nova.conf.d && systemd-tmpfiles --create /etc/tmpfiles.d/kilonova.conf")


@pytest.fixture(scope="module")
def host(core: Stack, tmp_path_factory: pytest.TempPathFactory) -> Host:
    """Where the operator types."""
    login = {**core.login(), "OS_COMPUTE_API_VERSION": "2.90"}
    return Host(tmp_path_factory.mktemp("operator"), login)


def typed(host: Host, command: str) -> str:
    done = host.run(command)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}"
    return done.stdout


def order(machine: Booted, command: str, seconds: float = 300) -> str:
    done = machine.run(command, seconds)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}"
    return done.stdout


def facts(machine: Booted, unit: str) -> dict[str, str]:
    """What systemd says of a unit."""
    names = "ActiveState,SubState,Result,MainPID,NRestarts,User"
    return dict(line.split("=", 1) for line in order(machine, f"systemctl show -p {names} {unit}").splitlines())


def journal(machine: Booted, *units: str) -> str:
    return order(machine, "journalctl --no-pager -o cat " + " ".join(f"-u {unit}" for unit in units))


def runs(machine: Booted, unit: str) -> bool:
    found = facts(machine, unit)
    return (found["ActiveState"], found["SubState"]) == ("active", "running")


def test_services_start_as_the_guide_says(machine: Booted, guide: list[Block]) -> None:
    wanted = [b for b in guide if b.language == "sh" and b.step[:2] in {"2.", "3."}]
    for command in (command for block in wanted for command in commands(block)):
        order(machine, command)
    order(machine, "systemctl enable --now nova-spicehtml5proxy nova-serialproxy")
    for unit in UNITS:
        assert runs(machine, unit), journal(machine, unit)


def test_each_is_its_own_user(machine: Booted) -> None:
    for unit in UNITS:
        found = facts(machine, unit)
        owner = order(machine, f"stat -c %U /proc/{found['MainPID']}").strip()
        assert owner == USERS.get(unit, "nova"), unit


def test_they_work_together(machine: Booted, host: Host) -> None:
    listed = "openstack compute service list -f value -c Binary -c State"
    until("the services", lambda: host.run(listed).stdout.count(" up") == 3, 60, pause=1)
    state = "openstack hypervisor list -f value -c State"
    until("the hypervisor", lambda: host.run(state).stdout == "up\n", 60, pause=1)
    assert "Found 1 unmapped computes" in order(machine, "nova-manage cell_v2 discover_hosts --verbose")
    assert "| Check: Placement API" in machine.run("nova-status upgrade check").stdout


def test_a_guest_is_its_own_user_and_outlives_the_service(machine: Booted, core: Stack, host: Host) -> None:
    """QEMU may enter what nova-compute makes, and goes on while that is started anew."""
    if not typed(host, "openstack image list --name tinyguest -f value"):
        done = core.run("image", seconds=1200)
        assert done.returncode == 0, done.stdout + done.stderr
    typed(host, "openstack flavor create --vcpus 1 --ram 256 --disk 1 unit.tiny")
    create = "openstack server create --flavor unit.tiny --image tinyguest --nic none --wait unit1 -f value -c status"
    assert typed(host, create).strip() == "ACTIVE"
    until("its console", lambda: "GUEST READY" in host.run("openstack console log show unit1").stdout, 120, pause=2)
    qemu = "ps -eo pid,user:20,args | grep [q]emu-system | cut -d- -f1-3"
    before = order(machine, qemu)
    assert "libvirt-qemu" in before
    order(machine, "systemctl restart nova-compute")
    assert order(machine, qemu) == before
    typed(host, "openstack server delete --wait unit1 && openstack flavor delete unit.tiny")
    assert machine.run(qemu).stdout == ""


def test_a_plain_user_is_told_who_may_read_the_files(machine: Booted) -> None:
    for command in ("nova-manage api_db version", "nova-status upgrade check", "nova-conductor", "kilonova doctor"):
        done = machine.run(f"cd / && runuser -u nobody -- {command}")
        assert done.returncode != 0
        assert "/etc/nova may not be read by nobody" in done.stdout
    done = machine.run("cd / && runuser -u nobody -- placement-manage db version")
    assert "/etc/placement may not be read by nobody" in done.stdout


def test_a_reload_changes_no_process(machine: Booted) -> None:
    before = {unit: facts(machine, unit)["MainPID"] for unit in UNITS}
    order(machine, f"systemctl reload {' '.join(UNITS)}")
    until("they run", lambda: all(runs(machine, unit) for unit in UNITS), 60, pause=1)
    assert {unit: facts(machine, unit)["MainPID"] for unit in UNITS} == before


def test_who_is_killed_or_hangs_is_started_again(machine: Booted) -> None:
    """Two stand still until the watchdog looks, and then say where they did; the others are killed."""
    hung = ("nova-conductor", "placement-api")
    for unit in UNITS:
        order(machine, f"kill -{'STOP' if unit in hung else 'KILL'} {facts(machine, unit)['MainPID']}")

    def again(unit: str) -> bool:
        return runs(machine, unit) and facts(machine, unit)["NRestarts"] == "1"

    for unit in UNITS:
        until(f"{unit} again", lambda: again(unit), WATCHDOG_SECONDS + 60, pause=1)  # noqa: B023  # called at once
    for unit in hung:
        assert "Fatal Python error: Aborted" in journal(machine, unit)


def test_log_files_are_rotated(machine: Booted) -> None:
    order(machine, "runuser -u nova -- sh -c 'echo a line > /var/log/nova/nova-api.log'")
    order(machine, "logrotate -f /etc/logrotate.d/kilonova")
    assert re.search(r"^nova-api\.log[.-]", order(machine, "ls /var/log/nova"), re.MULTILINE)


def test_secrets_stay_out_of_the_journal(machine: Booted) -> None:
    told = journal(machine, *UNITS)
    assert "is up" in told
    assert [secret for secret in SECRETS if secret in told] == []


def test_apache_serves_the_apis_too(machine: Booted, host: Host) -> None:
    """Programs as applications of mod_wsgi, instead of the units of those services."""
    order(machine, "systemctl stop nova-api placement-api")
    order(machine, "mkdir -p /etc/apache2 && apt-get install -y -q apache2 libapache2-mod-wsgi-py3 curl", seconds=600)
    order(machine, "a2dissite -q 000-default; : > /etc/apache2/ports.conf")
    order(machine, "echo ServerName controller >> /etc/apache2/apache2.conf")
    order(machine, "cp /srv/kilonova/packaging/apache2/kilonova.conf /etc/apache2/sites-enabled/")
    order(machine, "systemctl restart apache2")
    assert "nova-conductor" in host.run("openstack compute service list").stdout
    assert host.run("openstack hypervisor list -f value -c State").stdout == "up\n"
    assert order(machine, "curl -sf http://127.0.0.1:8775/").endswith("latest")
    owners = order(machine, "ps -eo user:20,args | grep '(wsgi:' | cut -d' ' -f1 | sort -u").split()
    assert {"nova", "placement"} <= set(owners)
    order(machine, "systemctl stop apache2")


def test_they_stop_cleanly(machine: Booted) -> None:
    order(machine, f"systemctl stop {' '.join(UNITS)}")
    for unit in UNITS:
        found = facts(machine, unit)
        assert (found["ActiveState"], found["Result"]) == ("inactive", "success"), journal(machine, unit)
