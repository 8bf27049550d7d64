"""`kilonova doctor` before real databases, a real Keystone over HTTP, and what is broken about them."""

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kilonova.cli.doctor import broker, clock, databases, host, neighbours
from kilonova.cli.doctor.contract import Group, Patient, Role
from kilonova.cli.manage import main as manage
from kilonova.kit.clock import SystemClock, stamp
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.kit.http.serve import ThreadedServer
from kilonova.kit.options import from_mapping, load
from kilonova.lab.identity.seed import seed
from kilonova.lab.identity.service import build, open_identity
from kilonova.store import hosts


@pytest.fixture(scope="module")
def closed() -> Iterator[int]:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture(scope="module")
def keystone(tmp_path_factory: pytest.TempPathFactory, closed: int) -> Iterator[str]:
    """Its URL; the catalog has an image service that is away, and no volumes."""
    database = Database(DatabaseOptions(connection=f"sqlite:///{tmp_path_factory.mktemp('k')}/identity.sqlite"))
    identity = open_identity(database, SystemClock())
    server = ThreadedServer(build(identity), "127.0.0.1", 0, name="identity")
    server.start()
    url = f"http://127.0.0.1:{server.port}/v3"
    passwords = {name: f"{name}-secret" for name in ("admin", "demo", "nova", "placement", "glance", "neutron")}
    seed(identity.store, passwords, {"identity": url, "image": f"http://127.0.0.1:{closed}", "network": url[:-3]})
    yield url
    server.stop()
    database.dispose()


def told(look: Group, patient: Patient) -> dict[str, tuple[int, str, str]]:
    return {found.name: (int(found.result), found.words, found.fix) for found in look(patient)}


def login(url: str, password: str, **more: str) -> dict[str, str]:
    names = {"project_name": "service", "user_domain_name": "Default", "project_domain_name": "Default"}
    return {"auth_type": "password", "auth_url": url, "username": "nova", "password": password, **names, **more}


def test_keystone_and_neighbours(keystone: str, closed: int) -> None:
    patient = Patient(from_mapping({"keystone_authtoken": login(keystone, "nova-secret")}), Role.CONTROLLER)
    found = told(neighbours.look, patient)
    assert found["Keystone"][0] == 0
    assert "user nova of project service is let in with the roles" in found["Keystone"][1]
    assert found["Glance"][0] == 2
    assert f"Glance does not answer at http://127.0.0.1:{closed}/v2/images" in found["Glance"][1]
    assert "start it" in found["Glance"][2]
    assert found["Neutron"][0] == 2  # something else answers there
    assert "correct the endpoint" in found["Neutron"][2]
    assert found["Cinder"][0] == 1  # not in the catalog, and not everybody needs it
    assert found["Placement"][0] == 2
    assert "endpoint_override" in found["Placement"][2]


@pytest.mark.parametrize(
    ("changed", "words", "fix"),
    [
        (
            {"password": "wrong"},
            "refuses the credentials in section [keystone_authtoken]",
            "correct username, password",
        ),
        ({"user_domain_name": ""}, "refuses the credentials", "the domains"),
        (
            {"auth_url": "http://127.0.0.1:{closed}/v3"},
            "Unable to establish connection",
            "start it, or correct auth_url",
        ),
        ({"auth_type": ""}, "has no auth_type", "set auth_type"),
    ],
)
def test_keystone_does_not_let_us_in(keystone: str, closed: int, changed: dict[str, str], words: str, fix: str) -> None:
    section = {**login(keystone, "nova-secret"), **{k: v.format(closed=closed) for k, v in changed.items()}}
    section = {name: value for name, value in section.items() if value}
    found = told(neighbours.look, Patient(from_mapping({"keystone_authtoken": section}), Role.CONTROLLER))
    assert list(found) == ["Keystone"]  # the others would only say it again
    assert found["Keystone"][0] == 2
    assert words in found["Keystone"][1]
    assert fix in found["Keystone"][2]


@pytest.mark.parametrize(("ahead", "result"), [(0, 0), (20, 1), (-45, 2)])
def test_clocks(keystone: str, ahead: int, result: int) -> None:
    configuration = from_mapping({"keystone_authtoken": login(keystone, "nova-secret")})
    patient = Patient(configuration, Role.COMPUTE, now=lambda: datetime.now(UTC) + timedelta(seconds=ahead))
    assert [finding[0] for finding in told(clock.look, patient).values()] == [result]


def test_databases_from_empty_to_well(tmp_path: Path) -> None:
    file = tmp_path / "nova.conf"
    urls = {name: f"sqlite:///{tmp_path}/{name}" for name in ("api", "cell")}
    file.write_text(
        f"[DEFAULT]\ntransport_url = rabbit://u:p@h/\n"
        f"[api_database]\nconnection = {urls['api']}\n[database]\nconnection = {urls['cell']}\n"
    )
    words = ["--config-file", str(file)]
    patient = Patient(load("test", words), Role.CONTROLLER)

    def fixes() -> list[str]:
        return [finding.fix for finding in databases.look(patient) if finding.result]

    assert fixes() == ["nova-manage api_db sync"]
    manage([*words, "api_db", "sync"])
    assert fixes() == [
        "nova-manage cell_v2 create_cell --name=cell1",
        "nova-manage cell_v2 map_cell0, then nova-manage db sync",
    ]
    manage([*words, "cell_v2", "map_cell0"])
    manage([*words, "cell_v2", "create_cell", "--name", "cell1"])
    assert fixes() == ["nova-manage db sync", "nova-manage db sync"]
    manage([*words, "db", "sync"])
    assert fixes() == ["start nova-conductor"]
    cell = Database(DatabaseOptions(connection=urls["cell"]))
    now = stamp(SystemClock().now())
    with cell.write() as connection:
        hosts.heartbeat(connection, "one", "nova-conductor", "u1", now)
        hosts.report_node(connection, "two", "n2", "two", "{}", now)
    assert fixes() == ["nova-manage cell_v2 discover_hosts"]
    manage([*words, "cell_v2", "discover_hosts"])
    assert fixes() == []
    with cell.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'later'")
    [newer] = [finding for finding in databases.look(patient) if finding.result]
    assert "of a newer release" in newer.words
    cell.dispose()


@pytest.mark.parametrize(
    ("url", "fix"),
    [
        ("mysql+pymysql://nova:p@127.0.0.1:{closed}/nova_api", "start the database server"),
        ("sqlite:////nowhere/at/all", "make its directory"),
        ("nonsense", "correct host and port"),
    ],
)
def test_a_database_that_is_not_there(closed: int, url: str, fix: str) -> None:
    sections = {"api_database": {"connection": url.format(closed=closed)}}
    [found] = databases.look(Patient(from_mapping(sections), Role.CONTROLLER))
    assert found.result == 2
    assert fix in found.fix
    assert "nova:p@" not in found.words


def test_a_broker_that_is_not_there(closed: int) -> None:
    def look(url: str) -> list[tuple[str, str]]:
        patient = Patient(from_mapping({"DEFAULT": {"transport_url": url}}), Role.ALL)
        return [(finding.name, finding.fix) for finding in broker.look(patient)]

    [found] = look(f"rabbit://u:p@127.0.0.1:{closed}/")
    assert found[0] == f"Broker 127.0.0.1:{closed}"
    assert "start the broker" in found[1]
    [found] = look("rabbit//nonsense")
    assert "transport_url = rabbit://" in found[1]


def test_a_host_without_libvirt_and_places(tmp_path: Path) -> None:
    options = {"state_path": str(tmp_path), "instances_path": str(tmp_path / "none"), "compute_driver": "libvirt.X"}
    uri = f"qemu+unix:///system?socket={tmp_path}/none"
    patient = Patient(from_mapping({"DEFAULT": options, "libvirt": {"connection_uri": uri}}), Role.COMPUTE)
    found = told(host.look, patient)
    assert found["libvirt"][0] == 2
    assert found["[DEFAULT] state_path"][0] == 0
    assert found["[DEFAULT] instances_path"][2] == f"install -d -o nova -g nova {tmp_path}/none"
    fake = from_mapping({"DEFAULT": {"compute_driver": "fake.FakeDriver"}})
    assert [finding.result for finding in host.look(Patient(fake, Role.ALL))] == [0]
