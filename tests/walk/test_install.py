"""Steps 1 to 4 of `docs/install.md`, executed as they stand there; `systemctl` starts what the shipped units say."""

import configparser
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pymysql
import pytest
from deployment.client import until
from deployment.guide import GUIDE, Block, Host, blocks, commands, here
from deployment.stack import DATABASE, ROOT, Stack, fresh_databases

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]
UUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.MULTILINE)
UNITS = ROOT / "packaging" / "systemd"
SPY = "compute_host"
"""The compute host's own account of the database: whoever connects by it is the compute host."""
HERE = """
[DEFAULT]
state_path = {state}
compute_driver = fake.FakeDriver
graceful_shutdown_timeout = 20
"""
"""Beside the guide's files: guests are other tests' matter."""


class Machine(Host):
    """A host of the guide with its services."""

    def __init__(self, directory: Path, stack: Stack) -> None:
        super().__init__(directory, stack.login())
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        (directory / "state").mkdir()
        self.write("/etc/nova/nova.conf.d/here.conf", HERE.format(state=directory / "state"))

    def systemctl(self, *units: str) -> None:
        """Start units as systemd would: their command, and READY=1 awaited."""
        for unit in units:
            parser = configparser.RawConfigParser(strict=False)
            parser.read(UNITS / f"{unit}.service")
            with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as told:
                told.bind(str(self.directory / f"{unit}.notify"))
                told.settimeout(120)
                environment = {**self.environment(), "NOTIFY_SOCKET": told.getsockname()}
                with (self.directory / f"{unit}.log").open("wb") as log:
                    self.running[unit] = subprocess.Popen(
                        ["sh", "-c", f"exec {parser['Service']['ExecStart']}"],
                        env=environment,
                        stdout=log,
                        stderr=log,
                    )
                try:
                    assert told.recv(100) == b"READY=1"
                except TimeoutError:
                    pytest.fail(f"{unit} does not start:\n{self.log(unit)[-3000:]}")

    def log(self, unit: str) -> str:
        return (self.directory / f"{unit}.log").read_text()

    def stop(self) -> dict[str, int]:
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        codes = {}
        for name, process in self.running.items():
            try:
                codes[name] = process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                codes[name] = process.wait()
        self.running.clear()
        return codes


@pytest.fixture(scope="module")
def guide() -> list[Block]:
    return blocks(GUIDE.read_text())


def administrator(statement: str) -> list[tuple[object, ...]]:
    host, port, user, password = DATABASE
    connection = pymysql.connect(host=host, port=port, user=user, password=password, autocommit=True)
    with closing(connection), connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


@pytest.fixture(scope="module")
def machines(core: Stack, guide: list[Block], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Machine]]:
    """Their files are those of step 1; the databases are empty."""
    fresh_databases("nova", "nova_api", "nova_cell0", "placement")
    administrator(f"CREATE USER IF NOT EXISTS {SPY}@'%' IDENTIFIED BY 'dbpass'")
    administrator(f"GRANT ALL ON `nova%`.* TO {SPY}@'%'")
    administrator("SET GLOBAL userstat = 1")
    administrator("FLUSH USER_STATISTICS")
    made = {name: Machine(tmp_path_factory.mktemp(name), core) for name in ("controller", "compute")}
    for block in (block for block in guide if block.language == "ini" and block.step.startswith("1.")):
        path, name = block.words
        text = here(block.text)
        made[name].write(path, text.replace("nova:dbpass@", f"{SPY}:dbpass@") if name == "compute" else text)
    yield made
    for machine in reversed(made.values()):
        machine.stop()
    administrator("SET GLOBAL userstat = 0")
    administrator(f"DROP USER {SPY}@'%'")


def run(machine: Machine, guide: list[Block], step: str, codes: dict[str, set[int]] | None = None) -> dict[str, str]:
    """Each command of a step's blocks for the host, and what it printed."""
    name = machine.directory.name.rstrip("0123456789")
    wanted = [b for b in guide if b.step.startswith(step) and b.language == "sh" and b.words == (name,)]
    printed = {}
    for command in (command for block in wanted for command in commands(block)):
        if command.startswith("systemctl enable --now "):
            machine.systemctl(*command.split()[3:])
            continue
        done = machine.run(command)
        assert done.returncode in (codes or {}).get(command, {0}), f"{command}: {done.returncode}\n{done.stdout}"
        printed[command] = done.stdout
    return printed


def test_databases_and_cells(machines: dict[str, Machine], guide: list[Block]) -> None:
    printed = run(machines["controller"], guide, "2.")
    assert UUID.search(printed["nova-manage cell_v2 create_cell --name=cell1 --verbose"])
    cells = printed["nova-manage cell_v2 list_cells"]
    assert re.search(r"\| cell0 +\| 00000000-0000-0000-0000-000000000000 \| none:/// ", cells)
    assert "rabbit://stack:****@127.0.0.1:13672" in cells
    assert "mysql+pymysql://nova:****@127.0.0.1:13306/nova_cell0" in cells


def test_services_are_ready_by_their_units(machines: dict[str, Machine], guide: list[Block]) -> None:
    for machine in machines.values():
        run(machine, guide, "3.")
    controller, compute = machines["controller"], machines["compute"]
    assert set(controller.running) == {
        *("placement-api", "nova-api", "nova-scheduler", "nova-conductor", "nova-novncproxy")
    }
    assert set(compute.running) == {"nova-compute"}
    for unit in ("nova-conductor", "nova-compute"):
        log = (controller if unit in controller.running else compute).log(unit)
        for option in ("[glance] api_servers", "[DEFAULT] use_neutron", "[DEFAULT] firewall_driver"):
            assert log.count(f"Option {option} is of an older release") == 1
        assert "is not known and has no effect" not in log


def test_hosts_are_found_and_the_upgrade_check_is_content(machines: dict[str, Machine], guide: list[Block]) -> None:
    controller = machines["controller"]
    host = socket.gethostname()
    listed = "openstack hypervisor list"
    until("the compute node", lambda: host in controller.run(listed).stdout, pause=1)
    printed = run(controller, guide, "4.", {"nova-status upgrade check": {1, 2}})
    services = printed["openstack compute service list"]
    assert {"nova-compute", "nova-conductor", "nova-scheduler"} <= set(re.findall(r"nova-\w+", services))
    assert " down " not in services
    discovered = printed["nova-manage cell_v2 discover_hosts --verbose"].splitlines()
    assert discovered[0] == "Found 1 cell mappings."
    assert any(line.startswith("Getting computes from cell 'cell1': ") for line in discovered)
    assert any(line.startswith(f"Creating host mapping for compute host '{host}'") for line in discovered)
    assert discovered[-1].startswith("Found 1 unmapped computes in cell: ")
    check = printed["nova-status upgrade check"]
    assert "| Upgrade Check Results" in check
    worse = re.findall(r"Check: ([^|]+?) *\|\n\| Result: (?:Warning|Failure)", check)
    assert set(worse) - {"Cinder API"} == {"Service User Token Configuration"}  # Cinder may not be up


def test_the_compute_host_never_connects_to_the_database(machines: dict[str, Machine]) -> None:
    """All connections since before it started, by account."""

    def connections(user: str) -> int:
        asked = f"SELECT TOTAL_CONNECTIONS FROM information_schema.USER_STATISTICS WHERE USER = '{user}'"
        return sum(int(str(row[0])) for row in administrator(asked))

    assert SPY in machines["compute"].place("/etc/nova/nova.conf").read_text()
    assert connections(SPY) == 0
    assert connections("nova") > 0
    host, port, _, _ = DATABASE
    pymysql.connect(host=host, port=port, user=SPY, password="dbpass").close()
    assert connections(SPY) == 1  # the statistics would have told


def test_services_stop_cleanly(machines: dict[str, Machine]) -> None:
    assert set(machines["compute"].stop().values()) == {0}
    assert set(machines["controller"].stop().values()) == {0}


def test_systemd_finds_nothing_to_say_of_the_units(tmp_path: Path) -> None:
    """With the programs' paths as they are here."""
    if subprocess.run(["sh", "-c", "command -v systemd-analyze"], check=False).returncode:
        pytest.skip("there is no systemd-analyze")
    copies = []
    for unit in sorted(UNITS.glob("*.service")):
        copy = tmp_path / unit.name
        text = unit.read_text().replace("User=nova", "User=root").replace("User=placement", "User=root")
        text = text.replace("Group=nova", "Group=root").replace("Group=placement", "Group=root")
        copy.write_text(text.replace("ExecStart=", f"ExecStart={Path(sys.executable).parent}/"))
        copies.append(str(copy))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *copies], capture_output=True, text=True, check=False
    )
    about = [line for line in done.stderr.splitlines() if "nova-" in line or "placement-" in line]
    assert (done.returncode, about) == (0, [])
