"""Step 10 of the walk: a second cell with a MariaDB server and a RabbitMQ virtual host of its own, which goes away."""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deployment.client import Client, token, until
from deployment.databases import MariaDb
from deployment.held import seed
from deployment.services import Deployment
from deployment.stack import Stack, root

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]


class TwoCells(Deployment):
    """Our services; ``host1`` is in the first cell, ``host2`` in the second."""

    def prepare(self) -> None:
        super().prepare()
        self.second = MariaDb(13316)
        self.second.install()
        self.second.start()
        self.second.execute("CREATE DATABASE nova_cell2 CHARACTER SET utf8mb4")
        broker, connection = self.stack.virtual_host("cell2"), self.second.url("nova_cell2")
        words = ("--name", "cell2", "--database_connection", connection, "--transport-url", broker)
        self._tool("kilonova.cli.manage", "cell_v2", "create_cell", *words)
        cell = self._written("cell2", {"connection": connection, "transport_url": broker})
        self._tool("kilonova.cli.manage", "db", "sync", "--local_cell", configuration=cell)
        self._written("host1", {"host": "host1"})
        self._written("host2", {"host": "host2", "transport_url": broker})

    def _written(self, name: str, options: dict[str, str]) -> Path:
        """The configuration with other values of some options: of ``[database]`` and ``[DEFAULT]``, and no screens."""
        options = {**options, "vnc_port": "0", "node_count": "0"}
        lines, section = [], ""
        for line in self.configuration.read_text().splitlines():
            section = line if line.startswith("[") else section
            option = line.partition(" = ")[0]
            mine = option in options and section in ("[DEFAULT]", "[database]", "[fake]")
            lines.append(f"{option} = {options[option]}" if mine else line)
        path = self.directory / f"{name}.conf"
        path.touch(mode=0o600)
        path.write_text("\n".join(lines))
        return path

    def disable(self, name: str) -> None:
        """Without the command, which has tests of its own."""
        with root("kilonova_api") as connection, connection.cursor() as cursor:
            cursor.execute("UPDATE cells SET disabled = 1 WHERE name = %s", (name,))

    def begin(self) -> None:
        self.start("placement", "conductor", "api")
        for host in ("host1", "host2"):
            self.spawn(host, ["kilonova.services.compute"], self.directory / f"{host}.conf")


@pytest.fixture(scope="module")
def cells(core: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoCells]:
    made = TwoCells(tmp_path_factory.mktemp("cells"), core, settings={"quota": {"instances": -1, "cores": -1}})
    try:
        made.prepare()
        made.begin()
        yield made
    finally:
        made.stop()
        made.second.discard()


@pytest.fixture(scope="module")
def api(cells: TwoCells) -> Iterator[Client]:
    with contextlib.closing(seed(cells.stack.login(), ("cells",), {"cells": (1, 64, 0)})) as client:
        until("both hosts", lambda: len(client.call("GET", "/os-hypervisors")["hypervisors"]) == 2)
        yield client


def image(cells: TwoCells) -> str:
    with contextlib.closing(Client("http://127.0.0.1:9292", token(cells.stack.login())[0], version="")) as shelf:
        return str(shelf.call("GET", "/v2/images?name=cells")["images"][0]["id"])


def boot(api: Client, cells: TwoCells, name: str, host: str | None = None) -> dict[str, Any]:
    flavor = next(f["id"] for f in api.call("GET", "/flavors")["flavors"] if f["name"] == "cells")
    body = {"name": name, "imageRef": image(cells), "flavorRef": flavor, "networks": "none"}
    made = api.call("POST", "/servers", {"server": {**body, **({"host": host} if host else {})}})["server"]
    until(name, lambda: api.call("GET", f"/servers/{made['id']}")["server"]["status"] != "BUILD", pause=0.3)
    server = api.call("GET", f"/servers/{made['id']}")["server"]
    assert server["status"] == "ACTIVE", server
    return dict(server)


def names(api: Client, query: str = "") -> list[str]:
    return [server["name"] for server in api.call("GET", f"/servers{query}")["servers"]]


def test_servers_of_both_cells_are_one_list(api: Client, cells: TwoCells) -> None:
    for number in range(4):
        server = boot(api, cells, f"s{number}", f"host{number % 2 + 1}")
        assert server["OS-EXT-SRV-ATTR:host"] == f"host{number % 2 + 1}"
    assert cells.second.execute("SELECT count(*) FROM nova_cell2.servers") == [(2,)]
    assert names(api, "?sort_key=display_name&sort_dir=asc") == ["s0", "s1", "s2", "s3"]
    first = api.call("GET", "/servers?sort_key=display_name&sort_dir=asc&limit=3")
    assert [server["name"] for server in first["servers"]] == ["s0", "s1", "s2"]
    marker = first["servers"][-1]["id"]
    assert names(api, f"?sort_key=display_name&sort_dir=asc&marker={marker}") == ["s3"]
    services = {row["host"] for row in api.call("GET", "/os-services?binary=nova-compute")["services"]}
    assert services == {"host1", "host2"}


def test_hosts_are_discovered_in_their_cells(api: Client, cells: TwoCells) -> None:
    cells._tool("kilonova.cli.manage", "cell_v2", "discover_hosts", "--verbose")  # of our own class


def test_a_cell_that_is_down_and_comes_back(api: Client, cells: TwoCells) -> None:
    far = next(s for s in api.call("GET", "/servers/detail")["servers"] if s["name"] == "s1")
    cells.second.stop(signal.SIGKILL)
    found = api.call("GET", "/servers/detail")["servers"]
    unknown = [server for server in found if server["status"] == "UNKNOWN"]
    assert len(found) == 4
    assert len(unknown) == 2
    assert {key for server in unknown for key in server} == {"id", "status", "tenant_id", "created", "links"}
    shown = api.call("GET", f"/servers/{far['id']}")["server"]
    assert (shown["status"], shown["flavor"]["original_name"]) == ("UNKNOWN", "cells")
    assert api.ask("POST", f"/servers/{far['id']}/action", {"os-stop": None})[0] == 503
    assert {"binary": "nova-compute", "host": "host2", "status": "UNKNOWN"} in api.call("GET", "/os-services")[
        "services"
    ]
    assert boot(api, cells, "meanwhile")["OS-EXT-SRV-ATTR:host"] == "host1"
    cells.second.start()
    until("the cell is back", lambda: "s1" in names(api, "?name=s1"), 60)
    assert api.ask("POST", f"/servers/{far['id']}/action", {"os-stop": None})[0] == 202
    until("stopped", lambda: api.call("GET", f"/servers/{far['id']}")["server"]["status"] == "SHUTOFF", 90)
    until("both are up", lambda: {s["state"] for s in api.call("GET", "/os-services")["services"]} == {"up"}, 90)
    assert boot(api, cells, "afterwards", "host2")["OS-EXT-SRV-ATTR:host"] == "host2"


def test_a_disabled_cell_gets_no_new_servers(api: Client, cells: TwoCells) -> None:
    """Known to every process within ten seconds, without a restart."""
    cells.disable("cell2")
    until("it is known", lambda: {boot(api, cells, f"d{n}")["OS-EXT-SRV-ATTR:host"] for n in range(4)} == {"host1"}, 60)
    assert "s1" in names(api)


def test_everything_goes(api: Client, cells: TwoCells) -> None:
    def gone() -> bool:
        left = api.call("GET", "/servers")["servers"]
        for server in left:
            api.ask("DELETE", f"/servers/{server['id']}")
        return not left

    until("all gone", gone, 120, 0.5)
