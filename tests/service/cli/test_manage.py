"""`nova-manage` over SQLite files."""

from pathlib import Path

import pytest

from kilonova.cli.manage import main
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.store import hosts

CELL0 = "00000000-0000-0000-0000-000000000000"
BROKER = "rabbit://user:secret@broker/"


class Site:
    """A configuration file and its databases."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.file = directory / "nova.conf"
        self.write(transport=BROKER)

    def url(self, name: str) -> str:
        return f"sqlite:///{self.directory}/{name}"

    def write(self, transport: str) -> None:
        self.file.write_text(
            f"[DEFAULT]\ntransport_url = {transport}\n"
            f"[api_database]\nconnection = {self.url('api')}\n[database]\nconnection = {self.url('cell')}\n"
        )

    def manage(self, *words: str) -> int:
        return main(["--config-file", str(self.file), *words])

    def ready(self) -> None:
        assert self.manage("api_db", "sync") == 0
        assert self.manage("cell_v2", "map_cell0") == 0
        assert self.manage("db", "sync") == 0

    def add_host(self, host: str) -> None:
        database = Database(DatabaseOptions(connection=self.url("cell")))
        with database.write() as connection:
            hosts.report_node(connection, host, f"{host}-uuid", host, "{}", "2026-01-01T00:00:00.000000")
        database.dispose()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_cell0_is_beside_the_configured_database(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.ready()
    assert site.manage("cell_v2", "list_cells") == 0
    assert f"| {CELL0} | none:///" in capsys.readouterr().out
    assert (site.directory / "cell_cell0").exists()


def test_db_sync_without_cell0_is_1_and_says_what_to_do(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.manage("api_db", "sync")
    assert site.manage("db", "sync") == 1
    assert "map_cell0" in capsys.readouterr().out
    assert site.manage("db", "sync", "--local_cell") == 0


def test_versions_are_printed(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.manage("api_db", "sync")
    site.manage("api_db", "version")
    assert capsys.readouterr().out.strip() == "0001"


def test_create_cell_tells_its_uuid_once_and_refuses_a_second(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.ready()
    assert site.manage("cell_v2", "create_cell", "--name", "one", "--verbose") == 0
    uuid = capsys.readouterr().out.strip()
    assert site.manage("cell_v2", "create_cell", "--name", "two") == 2
    site.manage("cell_v2", "list_cells")
    out = capsys.readouterr().out
    assert uuid in out
    assert "rabbit://user:****@broker/" in out
    site.manage("cell_v2", "list_cells", "--verbose")
    assert BROKER in capsys.readouterr().out


def test_create_cell_without_a_broker_is_1(site: Site) -> None:
    site.write(transport="")
    site.manage("api_db", "sync")
    assert site.manage("cell_v2", "create_cell") == 1


def test_hosts_are_discovered_once(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.ready()
    site.manage("cell_v2", "create_cell", "--name", "one")
    assert site.manage("cell_v2", "discover_hosts", "--strict") == 1
    site.add_host("host1")
    assert site.manage("cell_v2", "discover_hosts", "--verbose", "--strict") == 0
    assert "Creating host mapping for compute host 'host1'" in capsys.readouterr().out
    assert site.manage("cell_v2", "discover_hosts", "--strict") == 1
    assert site.manage("cell_v2", "discover_hosts", "--cell_uuid", "nonsense") == 1


def test_simple_cell_setup_needs_a_host(site: Site) -> None:
    site.ready()
    assert site.manage("cell_v2", "simple_cell_setup") == 1
    site.add_host("host1")
    assert site.manage("cell_v2", "simple_cell_setup") == 0
    assert site.manage("cell_v2", "map_cell_and_hosts") == 0


def test_a_missing_database_is_named_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "empty.conf"
    file.write_text("")
    assert main(["--config-file", str(file), "api_db", "sync"]) == 1
    assert capsys.readouterr().err == "nova-manage: [api_database] connection is not set\n"
