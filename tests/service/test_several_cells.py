"""Three cells, each with a database and a bus of its own: where servers live, and lists over all of them."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.service.cloud import Cloud, database, migrated, new_store, wait_for
from tests.unit.store.rows import NOW
from tests.unit.store.rows import server as server_row

from kilonova.kit.rpc.contract import Bus
from kilonova.kit.rpc.local import LocalBus
from kilonova.services.cell_bus import CellBus
from kilonova.store import cells, server_mappings, servers
from kilonova.store.cells import CELL0, CELL_SCHEMA, Cell, Store

NAMES = ("cell0", "one", "two", "three")
UUIDS = (CELL0, *(f"{str(n) * 8}-0000-4000-8000-000000000000" for n in (1, 2, 3)))
SORTS = ("created_at", "display_name", "vm_state", "host", "updated_at", "uuid")


class SeveralCells(Cloud):
    """cell0 and three cells, a bus each beside the API's own."""

    def new_store(self) -> Store:
        api = new_store(self.directory).api
        with api.write() as connection:
            connection.exec_driver_sql("DELETE FROM cells")
        found: list[Cell] = []
        for uuid, name in zip(UUIDS, NAMES, strict=True):
            opened = migrated(self.directory / f"{name}.sqlite", CELL_SCHEMA)
            url = f"local://{name}"
            row = {"uuid": uuid, "name": name, "database_connection": str(opened.url), "transport_url": url}
            ident = cells.write_mapping(api, {**row, "disabled": False})
            found.append(Cell(ident, uuid, name, opened, transport_url=url))
        return Store(api, tuple(found))

    def new_bus(self) -> CellBus:
        return CellBus(self.store, LocalBus(), "local://api", lambda _url: LocalBus())

    def bus_of(self, cell: Cell) -> Bus:
        assert isinstance(self.bus, CellBus)
        return self.bus.of_cell(cell)

    def cell(self, name: str) -> Cell:
        return next(cell for cell in self.store.cells if cell.name == name)

    def where(self, uuid: str) -> list[str]:
        """Names of the cells that have a row of the server."""
        answers = self.store.ask(lambda connection: servers.get(connection, uuid, deleted=True), self.store.cells)
        return [cell.name for cell, row in answers if row is not None]

    def change(self, name: str, **values: Any) -> None:
        """Of one cell's handle, as a process has it."""
        self.store.cells = tuple(
            Cell(**{**vars(cell), **values}) if cell.name == name else cell for cell in self.store.cells
        )

    def lose(self, name: str) -> None:
        """The cell's database is not there any more."""
        self.change(name, database=database(self.directory / "nowhere" / "lost.sqlite"))

    def boot_on(self, number: int, name: str = "web", **values: Any) -> dict[str, Any]:
        server = {"name": name, "imageRef": self.image.id, "flavorRef": "1", "networks": "none", **values}
        server["availability_zone"] = f"nova:host{number}"
        result = self.call("POST", "/servers", {"server": server}, token="admin:project")
        assert result.status_code == 202, result.text
        return self.until(result.json["server"]["id"], "ACTIVE")

    def able(self, host: str, status: str) -> None:
        """Of its compute service."""
        path = f"/os-services?host={host}&binary=nova-compute"
        (service,) = self.call("GET", path, token="admin:admin").json["services"]
        changed = self.call("PUT", f"/os-services/{service['id']}", {"status": status}, token="admin:admin")
        assert changed.status_code == 200, changed.text

    def list(self, query: str = "", **details: Any) -> list[dict[str, Any]]:
        result = self.call("GET", f"/servers/detail{query}", **details)
        assert result.status_code == 200, result.text
        found: list[dict[str, Any]] = result.json["servers"]
        return found


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeveralCells]:
    made = SeveralCells(tmp_path_factory.mktemp("cells"))
    made.conductor.start()
    for number, name in enumerate(NAMES[1:], start=1):
        made.add_host(f"host{number}", cell=made.cell(name))
    made.flavor()
    made.flavor("huge", ident="9", vcpus=4000, ram=10_000_000)
    yield made
    made.stop()


@pytest.fixture
def whole(cloud: SeveralCells) -> Iterator[SeveralCells]:
    """The cloud, and its cells as they were afterwards."""
    before = cloud.store.cells
    yield cloud
    cloud.store.cells = before
    cloud.store._asker._resting.clear()  # else the next test waits for it


def test_a_server_lives_in_the_cell_of_its_host(whole: SeveralCells) -> None:
    for number, name in enumerate(NAMES[1:], start=1):
        uuid = whole.boot_on(number)["id"]
        assert whole.where(uuid) == [name]
        located = whole.store.locate(uuid)
        assert located is not None
        assert located.name == name
        assert whole.call("POST", f"/servers/{uuid}/action", {"os-stop": None}).status_code == 202
        assert whole.until(uuid, "SHUTOFF")["OS-EXT-SRV-ATTR:hostname"] == "web"
        actions = whole.call("GET", f"/servers/{uuid}/os-instance-actions").json["instanceActions"]
        assert [action["action"] for action in actions] == ["stop", "create"]
        assert whole.call("DELETE", f"/servers/{uuid}").status_code == 204
        whole.until_gone(uuid)
        assert whole.hosts[f"host{number}"].driver.guests() == ()


def test_a_server_that_found_no_host_is_in_cell0_and_listed(whole: SeveralCells) -> None:
    uuid = whole.boot("nowhere", wait=False, flavorRef="9")["id"]
    assert "No valid host" in whole.until(uuid, "ERROR")["fault"]["message"]
    assert whole.where(uuid) == ["cell0"]
    assert [server["id"] for server in whole.list("?name=nowhere")] == [uuid]
    assert whole.call("DELETE", f"/servers/{uuid}").status_code == 204
    whole.until_gone(uuid)


def test_many_at_once_and_quota_over_cells(whole: SeveralCells) -> None:
    whole.boot("many", wait=False, min_count=9, max_count=9)
    wait_for(lambda: [server["status"] for server in whole.list("?name=many")] == ["ACTIVE"] * 9, 30)
    found = whole.list("?name=many")
    assert len({server["id"] for server in found}) == len(found)
    with whole.store.api.read() as connection:
        assert server_mappings.usage(connection, "project")["instances"] == len(whole.list())
    for server in found:
        assert whole.call("DELETE", f"/servers/{server['id']}").status_code == 204
    wait_for(lambda: not whole.list("?name=many"), 30)


def test_a_disabled_cell_gets_no_new_servers_and_keeps_its_own(whole: SeveralCells) -> None:
    kept = whole.boot_on(1)["id"]
    for name in ("one", "two"):
        whole.change(name, disabled=True)
    uuid = whole.boot("elsewhere")["id"]
    assert whole.where(uuid) == ["three"]
    assert kept in [server["id"] for server in whole.list()]
    assert whole.call("POST", f"/servers/{kept}/action", {"reboot": {"type": "HARD"}}).status_code == 202
    whole.until(kept, "ACTIVE")
    for server in (uuid, kept):
        whole.call("DELETE", f"/servers/{server}")
        whole.until_gone(server)


def test_a_server_stays_in_its_cell_when_it_moves(whole: SeveralCells) -> None:
    uuid = whole.boot_on(1)["id"]
    assert whole.call("POST", f"/servers/{uuid}/action", {"migrate": None}, token="admin:project").status_code == 202
    wait_for(lambda: whole.show(uuid).json["server"]["OS-EXT-STS:task_state"] is None)
    migrations = whole.call("GET", f"/os-migrations?instance_uuid={uuid}", token="admin:project").json["migrations"]
    assert [migration["status"] for migration in migrations] == ["error"]  # its cell has no other host
    whole.call("DELETE", f"/servers/{uuid}")
    whole.until_gone(uuid)


def test_a_cell_that_has_just_come_back_gets_servers(whole: SeveralCells) -> None:
    """A moment ago it did not answer, and it is left alone for a while: not if a server would be refused for that."""
    before = whole.store.cells
    whole.lose("three")
    assert len(whole.store.ask(lambda _connection: True, whole.store.cells).down) == 1
    whole.store.cells = before
    assert len(whole.store.ask(lambda _connection: True, whole.store.cells).down) == 1
    for host in ("host1", "host2"):
        whole.able(host, "disabled")
    uuid = whole.boot("back")["id"]
    assert whole.where(uuid) == ["three"]
    whole.store._asker._resting[whole.cell("three").uuid] = time.monotonic() + 60
    forced = whole.boot_on(3)["id"]
    for host in ("host1", "host2"):
        whole.able(host, "enabled")
    for server in (uuid, forced):
        assert whole.call("DELETE", f"/servers/{server}").status_code == 204
        whole.until_gone(server)


def test_a_cell_that_is_down(whole: SeveralCells) -> None:
    there, gone = whole.boot_on(1, "there")["id"], whole.boot_on(2, "gone")["id"]
    before = whole.cell("two").database
    whole.lose("two")
    links = whole.list("?name=there")[0]["links"]
    expected = [{**link, "href": link["href"].replace(there, gone)} for link in links]
    (partial,) = [server for server in whole.list() if server["id"] == gone]
    assert partial.pop("created")
    assert partial == {"id": gone, "status": "UNKNOWN", "tenant_id": "project", "links": expected}
    brief = whole.call("GET", "/servers").json["servers"]
    assert {"id": gone, "status": "UNKNOWN", "links": expected} in brief
    for query in ("?name=gone", "?limit=10", "?sort_key=uuid"):  # nobody can tell what belongs there
        assert gone not in [server["id"] for server in whole.list(query)]
    assert [server["id"] for server in whole.list(version="2.68")] == [there]
    shown = whole.show(gone).json["server"]
    known = ("status", "user_id", "OS-EXT-STS:power_state", "server_groups")
    assert [shown[name] for name in known] == ["UNKNOWN", "admin", 0, []]
    assert shown["flavor"]["original_name"] == "m1.tiny"
    assert shown["image"]["id"] == whole.image.id
    assert shown["OS-EXT-AZ:availability_zone"] == "nova"
    assert whole.show(gone, version="2.68").status_code == 503
    assert whole.show(gone, token="other:others").status_code == 404
    assert whole.call("DELETE", f"/servers/{gone}").status_code == 503
    services = whole.call("GET", "/os-services", token="admin:admin").json["services"]
    assert {service["host"] for service in services} >= {"host1", "host3"}
    hypervisors = whole.call("GET", "/os-hypervisors", token="admin:admin").json["hypervisors"]
    assert [hypervisor["hypervisor_hostname"] for hypervisor in hypervisors] == ["host1", "host3"]
    new = whole.boot("meanwhile")["id"]
    assert whole.where(new)[0] in {"one", "three"}
    whole.change("two", database=before)
    whole.store._asker._resting.clear()  # else it is asked again in a moment
    assert whole.until(gone, "ACTIVE")["name"] == "gone"
    for server in (there, gone, new):
        assert whole.call("DELETE", f"/servers/{server}").status_code == 204
        whole.until_gone(server)


def test_builds_wait_for_hosts_when_not_one_is_heard_of(whole: SeveralCells) -> None:
    """After an outage of broker or database: that is not the hosts' fault."""
    everywhere = [whole.cell(name).database for name in NAMES[1:]]
    for host in whole.hosts.values():
        for loop in host._loops:  # they report no more
            loop.stop()
    for opened in everywhere:
        with opened.write() as connection:
            connection.exec_driver_sql("UPDATE services SET last_seen = '2026-01-01T00:00:00.000000'")
    uuid = whole.boot("early", wait=False)["id"]
    wait_for(whole.tools.chooser.all_silent)
    time.sleep(0.3)
    assert whole.show(uuid).json["server"]["status"] == "BUILD"
    for host in whole.hosts.values():
        host.reporter.alive()
    assert whole.until(uuid, "ACTIVE", 20)["id"] == uuid
    whole.call("DELETE", f"/servers/{uuid}")
    whole.until_gone(uuid)


def test_lists_fail_where_operators_want_that(whole: SeveralCells) -> None:
    whole.lose("two")
    before = whole.compute
    whole.use(replace(before, api=replace(before.api, list_records_by_skipping_down_cells=False)))
    assert whole.call("GET", "/servers?limit=5").status_code == 503
    assert whole.call("GET", "/servers", version="2.68").status_code == 503
    assert whole.call("GET", "/servers").status_code == 200
    whole.use(before)


# -- sorting and paging ------------------------------------------------------------------------------------------------
_ROW = st.fixed_dictionaries(
    {
        "cell": st.sampled_from(NAMES),
        "name": st.sampled_from(["a", "b", "B", "\u00e9"]),
        "created_at": st.sampled_from(["2026-01-01T00:00:00.000000", "2026-01-02T00:00:00.000000"]),
        "host": st.sampled_from([None, "h1", "h2"]),
        "vm_state": st.sampled_from(["active", "stopped"]),
    }
)


def _row(ident: str, values: dict[str, Any]) -> dict[str, Any]:
    own = {name: value for name, value in values.items() if name != "cell"}
    return server_row(0, **{**own, "uuid": ident, "project_id": "sorted", "updated_at": NOW})


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(_ROW, max_size=14),
    sort=st.lists(
        st.tuples(st.sampled_from(SORTS), st.sampled_from(["asc", "desc"])), max_size=3, unique_by=lambda pair: pair[0]
    ),
    limit=st.integers(1, 5),
)
def test_pages_over_cells_are_one_list(
    whole: SeveralCells, rows: list[dict[str, Any]], sort: list[tuple[str, str]], limit: int
) -> None:
    uuids = [str(uuid4()) for _ in rows]
    columns = {"display_name": "name", "locked": "locked_by"}
    for ident, row in zip(uuids, rows, strict=True):
        cell = whole.cell(row["cell"])
        with cell.database.write() as connection:
            servers.insert(connection, [_row(ident, row)])
    query = "".join(f"&sort_key={key}&sort_dir={way}" for key, way in sort)
    keys = [*sort, ("uuid", sort[0][1])] if sort else [("created_at", "desc"), ("uuid", "desc")]
    known = [{**row, "uuid": ident, "updated_at": NOW} for ident, row in zip(uuids, rows, strict=True)]
    for key, way in reversed(keys):
        known.sort(key=lambda row: row[columns.get(key, key)] or "", reverse=way == "desc")
    seen: list[str] = []
    marker = ""
    for _ in range(len(rows) + 2):
        reply = whole.call(
            "GET", f"/servers?all_tenants=1&project_id=sorted&limit={limit}{query}{marker}", token="admin:admin"
        )
        assert reply.status_code == 200, reply.text
        page = [server["id"] for server in reply.json["servers"]]
        seen += page
        if "servers_links" not in reply.json:
            break
        marker = f"&marker={page[-1]}"
    for name in NAMES:
        with whole.cell(name).database.write() as connection:
            connection.exec_driver_sql("DELETE FROM servers WHERE project_id = 'sorted'")
    assert seen == [row["uuid"] for row in known]


def test_the_number_of_statements_does_not_grow_with_the_servers(whole: SeveralCells) -> None:
    def statements() -> int:
        before = [cell.database.statements.total for cell in whole.store.cells]
        api = whole.store.api.statements.total
        assert whole.call("GET", "/servers?limit=50").status_code == 200
        each = [cell.database.statements.total - old for cell, old in zip(whole.store.cells, before, strict=True)]
        assert each == [1] * len(NAMES)
        return whole.store.api.statements.total - api

    whole.conductor.stop()
    assert statements() == 0
