"""Every exit code of `nova-manage` that the table of the reference has, made to happen or said why it cannot."""

import csv
import functools
import json
import uuid as uuids
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from tests.service.cloud import Cloud, running, wait_for

from kilonova.cli.manage import main
from kilonova.cli.manage.deployment import Deployment
from kilonova.cli.manage.images import without_machine_type
from kilonova.kit.clock import SystemClock
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.kit.errors import KilonovaError
from kilonova.kit.options import Configuration
from kilonova.kit.sessions import Sessions
from kilonova.lab.identity.seed import USERS, seed
from kilonova.lab.identity.service import build as build_identity
from kilonova.lab.identity.service import open_identity
from kilonova.services.process import Neighbours
from kilonova.store import aggregates, host_mappings, hosts, mapped, quotas, server_mappings, servers
from kilonova.store.cells import CELL0, mappings

TABLE = Path(__file__).parents[2] / "golden" / "nova-manage.tsv"
IDENTITY = "http://identity.test"
CELL1 = "11111111-1111-1111-1111-111111111111"
UNKNOWN = "99999999-9999-4999-8999-999999999999"
Test = Callable[..., None]
TOLD: dict[str, set[int]] = {}
NEVER = {
    ("db online_data_migrations", 1): "no revision leaves data to convert",
    ("db online_data_migrations", 2): "the same",
    ("cell_v2 discover_hosts", 2): "two runs in one moment: tests/contract/store/test_hosts.py",
    ("placement heal_allocations", 5): "ports claim no resources",
    ("placement heal_allocations", 6): "the same",
    ("placement heal_allocations", 7): "the same",
}
ERROR = {
    *("api_db sync", "libvirt get_machine_type", "libvirt update_machine_type", "libvirt list_unset_machine_type"),
    *("image_property show", "image_property set", "volume_attachment show", "volume_attachment refresh"),
    *("volume_attachment get_connector", "placement audit", "limits migrate_to_unified_limits"),
}
"""Commands with a 1 for any error: test_an_error_is_the_code_for_errors."""
ERROR_255 = {
    *("db archive_deleted_rows", "db ironic_compute_node_move", "cell_v2 map_instances"),
    *("placement heal_allocations", "placement sync_aggregates"),
}


class Site:
    """A configuration file for a cloud's databases, and the codes that were seen."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.file = cloud.directory / "nova.conf"
        self.seen: dict[str, set[int]] = {}
        self.mounts: dict[str, Any] = {}
        self.resources: Any = cloud.resources
        self.out: pytest.CaptureFixture[str] | None = None
        self.write()

    def write(self, **changed: str | None) -> None:
        values = {
            "api": f"sqlite:///{self.cloud.directory}/api.sqlite",
            "cell": f"sqlite:///{self.cloud.directory}/cell1.sqlite",
            "broker": "rabbit://u:p@broker/",
            **changed,
        }
        lines = ["[DEFAULT]", "host = host1", "compute_driver = fake.FakeDriver"]
        lines += [f"transport_url = {values['broker']}"] if values["broker"] else []
        lines += ["[api_database]", f"connection = {values['api']}"] if values["api"] else []
        lines += ["[database]", f"connection = {values['cell']}"] if values["cell"] else []
        lines += ["[oslo_limit]", f"auth_url = {IDENTITY}/v3", "auth_type = password", "username = admin"]
        lines += ["password = secret", "user_domain_id = default", "system_scope = all"]
        lines += [f"endpoint_override = {IDENTITY}"]
        self.file.write_text("\n".join(lines))

    def __call__(self, code: int, command: str, *words: str) -> None:
        found = main(["--config-file", str(self.file), *command.split(), *words], make=self.deployment)
        assert found == code, f"{command} {words}: {found}"
        self.seen.setdefault(command, set()).add(code)

    def deployment(self, configuration: Configuration) -> Deployment:
        cloud = self.cloud
        others = Neighbours(
            images=cloud.images, networks=cloud.networks, resources=self.resources, volumes=cloud.volumes
        )
        made = Deployment(configuration, others)
        made.__dict__["sessions"] = Sessions(configuration, self.mounts)
        return made

    def boot(self, name: str, *, stop: bool = False) -> str:
        uuid = str(self.cloud.boot(name)["id"])
        if stop:
            self.cloud.call("POST", f"/servers/{uuid}/action", {"os-stop": None})
            self.cloud.until(uuid, "SHUTOFF")
        return uuid

    def change(self, uuid: str, **values: Any) -> None:
        with self.cloud.store.home.database.write() as connection:
            servers.update(connection, uuid, values)


def tells(command: str, *codes: int) -> Callable[[Test], Test]:
    """The test shows that the command ends with each of the codes."""
    TOLD.setdefault(command, set()).update(codes)

    def wrap(test: Test) -> Test:
        @functools.wraps(test)
        def checked(site: Site, **others: Any) -> None:
            test(site, **others)
            assert set(codes) <= site.seen.get(command, set())

        return checked

    return wrap


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("cloud")) as found:
        found.flavor()
        yield found


@pytest.fixture
def site(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> Site:
    found = Site(cloud)
    found.out = capsys
    return found


def test_every_code_of_the_table_is_told() -> None:
    rows = list(csv.DictReader(TABLE.read_text().splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))
    missing = []
    for row in (row for row in rows if row["program"] == "nova-manage" and " | " not in row["subcommand"]):
        command = row["subcommand"]
        for part in row["exit_codes"].split(";"):
            code = int(part.split()[0])
            errors = (command in ERROR and code == 1) or (command in ERROR_255 and code == 255)
            if not errors and code not in TOLD.get(command, ()) and (command, code) not in NEVER:
                missing.append((command, code))
    assert missing == []


@pytest.mark.parametrize("command", sorted(ERROR | ERROR_255))
def test_an_error_is_the_code_for_errors(
    site: Site, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A database, or a neighbour, that cannot be used."""
    site.write(api=f"sqlite:///{tmp_path}/nowhere/api", cell="sqlite:////nowhere/cell")
    words = {
        "libvirt update_machine_type": ("x", "q35"),
        "image_property show": ("x", "os_type"),
        "image_property set": ("x", "--property", "os_type=linux"),
        "volume_attachment show": ("x", "y"),
        "volume_attachment refresh": ("x", "y", str(site.file)),
        "db ironic_compute_node_move": ("--ironic-node-uuid", UNKNOWN, "--destination-host", "host1"),
        "cell_v2 map_instances": ("--cell_uuid", UNKNOWN),
        "libvirt get_machine_type": ("x",),
    }.get(command, ())
    if command == "volume_attachment refresh":
        (tmp_path / "c").write_text('{"host": "host1"}')
        words = ("x", "y", str(tmp_path / "c"))
    if command == "volume_attachment get_connector":
        site.file.write_text("[DEFAULT]\ncompute_driver = none.Such\n")
    if command == "placement audit":
        site.boot("audited")
    if command == "limits migrate_to_unified_limits":
        site.write()  # the identity service is not there
    if command == "db archive_deleted_rows":
        site.write(api=f"sqlite:///{tmp_path}/api", cell=f"sqlite:///{tmp_path}/empty")
        site(0, "api_db sync")
        site(0, "cell_v2 create_cell")
    site(255 if command in ERROR_255 else 1, command, *words)
    assert capsys.readouterr().err.startswith("nova-manage: ")


# -- databases --
@tells("db version", 0)
@tells("api_db version", 0)
@tells("api_db sync", 0)
@tells("db sync", 0, 1)
def test_schemas(site: Site) -> None:
    folder = site.cloud.directory / str(uuids.uuid4())
    folder.mkdir()
    site.write(api=f"sqlite:///{folder}/api", cell=f"sqlite:///{folder}/cell")
    site(0, "api_db sync")
    site(1, "db sync")
    site(0, "cell_v2 map_cell0")
    site(0, "db sync")
    site(0, "db version")
    site(0, "api_db version")
    site(1, "db sync", "0999")


@tells("db archive_deleted_rows", 0, 1, 2, 3, 4)
@tells("db purge", 0, 1, 2, 3, 4)
@tells("cell_v2 verify_instance", 0, 1, 2, 3, 4)
def test_deleted_servers_are_archived_and_purged(site: Site) -> None:
    cloud, archive, purge = site.cloud, "db archive_deleted_rows", "db purge"
    main(["--config-file", str(site.file), *archive.split(), "--until-complete", "--purge"], make=site.deployment)
    uuid = site.boot("short lived")
    mapping = {"uuid": uuid, "cell_id": cloud.store.home.id, "confirmed": True}
    site(0, "cell_v2 verify_instance", "--uuid", uuid)
    cloud.call("DELETE", f"/servers/{uuid}")
    cloud.until_gone(uuid)
    site(3, "cell_v2 verify_instance", "--uuid", uuid)
    site(0, archive, "--before", "2020-01-01")
    site(2, archive, "--max_rows", "0")
    site(4, archive, "--before", "yesterday, perhaps")
    site(1, archive, "--verbose", "--max_rows", "1")
    site(0, archive)
    assert cloud.call("GET", f"/servers?deleted=1&uuid={uuid}", token="admin:admin").json["servers"] == []
    site(1, "cell_v2 verify_instance", "--uuid", uuid)
    with cloud.store.api.write() as api:
        owner = {"project_id": "p", "user_id": "u", "cores": 0, "ram": 0, "counted": False, "created_at": "2026"}
        server_mappings.add(api, [{**mapping, **owner}, {**mapping, **owner, "uuid": UNKNOWN}])
    site(4, "cell_v2 verify_instance", "--uuid", uuid)
    site(2, "cell_v2 verify_instance", "--quiet", "--uuid", UNKNOWN)
    site(1, purge)
    site(2, purge, "--before", "nonsense")
    site(3, purge, "--before", "2020-01-01 10:00")
    site(0, purge, "--all", "--verbose")
    site(3, purge, "--all", "--all-cells")
    site.write(api=None)
    site(3, archive)
    site(4, purge, "--all")


@tells("db online_data_migrations", 0, 127)
def test_online_data_migrations(site: Site) -> None:
    site(0, "db online_data_migrations")
    site(127, "db online_data_migrations", "--max-count", "0")


@tells("db ironic_compute_node_move", 0, 255)
def test_a_node_is_given_to_another_host(site: Site) -> None:
    site.cloud.add_host("other")
    [node] = site.cloud.resources.providers([("name", "other")])
    words = ("--ironic-node-uuid", node.uuid, "--destination-host")
    site(255, "db ironic_compute_node_move", *words, "nowhere")
    site(0, "db ironic_compute_node_move", *words, "host1")
    site(0, "db ironic_compute_node_move", *words, "other")


# -- cells --
@pytest.fixture
def fresh(site: Site) -> Iterator[Database]:
    """The API database is a new one; ``[database]`` is the cloud's cell, not mapped yet."""
    folder = site.cloud.directory / str(uuids.uuid4())
    folder.mkdir()
    site.write(api=f"sqlite:///{folder}/api")
    site(0, "api_db sync")
    site.boot("of the cell")
    database = Database(DatabaseOptions(connection=f"sqlite:///{folder}/api"))
    yield database
    database.dispose()


def cell_named(api: Database, name: str) -> Any:
    return next(row for row in mappings(api) if row["name"] == name)


@tells("cell_v2 simple_cell_setup", 0, 1)
@tells("cell_v2 map_cell0", 0)
@tells("cell_v2 map_cell_and_hosts", 0, 1)
@tells("cell_v2 create_cell", 0, 1, 2)
@tells("cell_v2 list_cells", 0)
@tells("cell_v2 list_hosts", 0, 1)
@tells("cell_v2 discover_hosts", 0, 1)
def test_cells_are_made(site: Site, fresh: Database) -> None:
    again = {"api": str(fresh.url)}
    site.write(**again, broker=None)
    for command in ("simple_cell_setup", "map_cell_and_hosts", "create_cell"):
        site(1, f"cell_v2 {command}")
    empty = f"{fresh.url}-cell"
    site.write(**again, cell=empty)
    site(0, "db sync", "--local_cell")
    site(1, "cell_v2 simple_cell_setup")
    site(2, "cell_v2 create_cell")
    site(1, "cell_v2 discover_hosts", "--strict")
    site.write(**again, broker="rabbit://u:p@second/")
    site(0, "cell_v2 create_cell", "--name", "second", "--verbose")
    site(0, "cell_v2 map_cell0")
    site(0, "cell_v2 map_cell_and_hosts")
    site(0, "cell_v2 discover_hosts", "--by-service")
    site(0, "cell_v2 simple_cell_setup")
    site(0, "cell_v2 list_cells", "--verbose")
    site(0, "cell_v2 list_hosts", "--cell_uuid", cell_named(fresh, "second")["uuid"])
    site(1, "cell_v2 list_hosts", "--cell_uuid", UNKNOWN)
    assert site.out is not None
    assert "| second    |" in site.out.readouterr().out


@tells("cell_v2 update_cell", 0, 1, 2, 3, 4, 5)
def test_cells_are_changed(site: Site, fresh: Database) -> None:
    site(0, "cell_v2 map_cell0")
    site(0, "cell_v2 create_cell", "--name", "one")
    other = ("--database_connection", "sqlite:////2", "--transport-url", "rabbit://two/")
    site(0, "cell_v2 create_cell", "--name", "two", *other)
    update, one = "cell_v2 update_cell", cell_named(fresh, "one")["uuid"]
    site(1, update, "--cell_uuid", UNKNOWN)
    site(0, update, "--cell_uuid", one, "--name", "uno", "--disable")
    assert cell_named(fresh, "uno")["disabled"]
    site(0, update, "--cell_uuid", one, "--enable")
    assert not cell_named(fresh, "uno")["disabled"]
    site(3, update, "--cell_uuid", one, *other)
    site(4, update, "--cell_uuid", one, "--enable", "--disable")
    site(5, update, "--cell_uuid", CELL0, "--database_connection", "x://0", "--transport-url", "none:///", "--disable")
    site.write(api=str(fresh.url), cell=None)
    site(2, update, "--cell_uuid", one)


@tells("cell_v2 delete_host", 0, 1, 2, 3, 4)
@tells("cell_v2 delete_cell", 0, 1, 2, 3, 4)
@tells("cell_v2 map_instances", 0, 1, 127)
def test_cells_are_emptied_and_removed(site: Site, fresh: Database) -> None:
    site(0, "cell_v2 map_cell0", "--database_connection", "sqlite://")
    site(0, "cell_v2 create_cell", "--name", "one")
    other = ("--database_connection", "sqlite:////2", "--transport-url", "rabbit://two/")
    site(0, "cell_v2 create_cell", "--name", "two", *other)
    site(0, "cell_v2 discover_hosts", "--cell_uuid", cell_named(fresh, "one")["uuid"])
    one, two = cell_named(fresh, "one"), cell_named(fresh, "two")
    of_one, of_two = ("--cell_uuid", one["uuid"]), ("--cell_uuid", two["uuid"])
    fill = "cell_v2 map_instances"
    site.boot("another")
    site(127, fill, *of_one, "--max-count", "0")
    site(1, fill, *of_one, "--max-count", "1")
    site(0, fill, *of_one, "--reset")
    unmap, remove = "cell_v2 delete_host", "cell_v2 delete_cell"
    with fresh.write() as api:
        host_mappings.add(api, two["id"], ["far"])
        host_mappings.add(api, one["id"], ["empty"])
    site(1, unmap, "--cell_uuid", UNKNOWN, "--host", "host1")
    site(2, unmap, *of_one, "--host", "nowhere")
    site(3, unmap, *of_one, "--host", "far")
    site(4, unmap, *of_one, "--host", "host1")
    site(0, unmap, *of_one, "--host", "empty")
    site(1, remove, "--cell_uuid", UNKNOWN)
    site(2, remove, *of_one)
    site(3, remove, *of_one, "--force")
    with fresh.write() as api:
        owner = {"project_id": "p", "user_id": "u", "cores": 0, "ram": 0, "created_at": "2026", "confirmed": True}
        server_mappings.add(api, [{**owner, "uuid": UNKNOWN, "cell_id": two["id"], "counted": False}])
        mapped.remove_host(api, "far")
    site(4, remove, *of_two)
    site(0, remove, *of_two, "--force")


def test_what_a_mapping_leaves_open_is_filled_from_the_configuration(site: Site, fresh: Database) -> None:
    template = ("--database_connection", "{scheme}:///{path}", "--transport-url", "rabbit://{username}:x@{hostname}/")
    site(0, "cell_v2 create_cell", "--name", "open", *template)
    site(0, "cell_v2 discover_hosts", "--verbose", "--strict")
    assert site.out is not None
    assert "Creating host mapping for compute host 'host1': " in site.out.readouterr().out


# -- placement --
@tells("placement heal_allocations", 0, 1, 2, 3, 4, 127)
@tells("placement audit", 0, 3, 4, 127)
def test_allocations_are_healed_and_audited(site: Site) -> None:
    heal, audit, resources = "placement heal_allocations", "placement audit", site.cloud.resources
    uuid, other = site.boot("ill"), site.boot("ill too")
    site(4, heal, "--verbose")
    before = resources.allocation(uuid)
    assert before is not None
    resources.release(uuid)
    resources.release(other)
    site(0, heal, "--dry-run")
    assert resources.allocation(uuid) is None
    site(1, heal, "--max-count", "1")
    site(0, heal, "--verbose", "--cell", CELL1)
    healed = resources.allocation(uuid)
    assert healed is not None
    assert healed.allocations == before.allocations
    site(0, heal, "--instance", uuid, "--force")
    site(127, heal, "--max-count", "-1")
    site(127, heal, "--instance", UNKNOWN)
    site(0, audit)
    resources.claim(replace(before, consumer=UNKNOWN, generation=None))
    site(3, audit, "--verbose")
    [node] = before.allocations
    site(4, audit, "--delete", "--resource_provider", node)
    assert resources.allocation(UNKNOWN) is None
    site(127, audit, "--resource_provider", UNKNOWN)
    resources.release(uuid)
    flavor = {"original_name": "f", "vcpus": 10**6, "ram": 1, "disk": 0, "ephemeral": 0, "swap": 0}
    site.change(uuid, flavor=json.dumps(flavor))
    site(3, heal, "--instance", uuid)
    site.change(uuid, node="gone")
    site(2, heal, "--instance", uuid)
    site.change(uuid, node="host1")


@tells("placement sync_aggregates", 0, 1, 2, 3, 4, 5, 6)
def test_aggregates_are_mirrored(site: Site) -> None:
    sync, cloud = "placement sync_aggregates", site.cloud

    def aggregate(host: str) -> str:
        with cloud.store.api.write() as api:
            made = aggregates.create(
                api, {"uuid": str(uuids.uuid4()), "name": str(uuids.uuid4()), "created_at": "2026"}, {}
            )
            aggregates.add_host(api, made["id"], host)
        return str(made["uuid"])

    def mapped_host(host: str, *nodes: str) -> None:
        with cloud.store.api.write() as api:
            host_mappings.add(api, cloud.store.home.id, [host])
        with cloud.store.home.database.write() as cell:
            for node in nodes:
                hosts.report_node(cell, host, node, node, "{}", "2026")

    def without(host: str) -> None:
        with cloud.store.api.write() as api:
            aggregates.forget_host(api, host)

    uuid = aggregate("host1")
    site(4, sync)
    mapped_host("host1")
    site(0, sync, "--verbose")
    [node] = cloud.resources.providers([("name", "host1")])
    assert uuid in cloud.resources.aggregates(node.uuid)
    for host, code, nodes in (("bare", 5, ()), ("twofold", 1, ("n1", "n2")), ("lost", 6, (UNKNOWN,))):
        mapped_host(host, *nodes)
        aggregate(host)
        site(code, sync)
        without(host)
    asked: list[str] = []
    site.resources = Failing(cloud.resources, {"set_aggregates"}, asked)
    aggregate("host1")
    site(3, sync)
    site.resources = Failing(cloud.resources, {"providers"}, asked)
    site(2, sync)
    assert asked == ["set_aggregates", "providers"]


class Failing:
    """Placement, but for the calls that fail."""

    def __init__(self, real: Any, calls: set[str], asked: list[str]) -> None:
        self._real, self._calls, self._asked = real, calls, asked

    def __getattr__(self, name: str) -> Any:
        def fail(*_words: object) -> None:
            self._asked.append(name)
            raise KilonovaError("not now")

        return fail if name in self._calls else getattr(self._real, name)


# -- servers --
@tells("volume_attachment get_connector", 0)
@tells("volume_attachment show", 0, 2, 3)
@tells("volume_attachment refresh", 0, 2, 3, 4, 5, 6, 7)
def test_attachments_are_shown_and_renewed(site: Site, tmp_path: Path) -> None:
    cloud, show, renew = site.cloud, "volume_attachment show", "volume_attachment refresh"
    uuid = site.boot("with a volume")
    volume = cloud.volumes.add().id
    site(2, show, UNKNOWN, volume)
    site(3, show, uuid, volume)
    connector = tmp_path / "connector"
    site(2, renew, uuid, volume, str(connector))
    connector.write_text("no json")
    site(3, renew, uuid, volume, str(connector))
    site(0, "volume_attachment get_connector", "--json")
    site(0, "volume_attachment get_connector")
    connector.write_text('{"host": "host1"}')
    site(4, renew, UNKNOWN, volume, str(connector))
    site(5, renew, uuid, volume, str(connector))
    made = cloud.call("POST", f"/servers/{uuid}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume}})
    assert made.status_code == 202, made.text
    wait_for(lambda: cloud.volumes.get(None, volume).status == "in-use")
    cloud.until(uuid, "ACTIVE")
    site(0, show, uuid, volume)
    site(0, show, uuid, volume, "--json")
    cloud.call("POST", f"/servers/{uuid}/action", {"os-stop": None})
    cloud.until(uuid, "SHUTOFF")
    site(6, renew, uuid, UNKNOWN, str(connector))
    before = cloud.volumes.attachments(uuid)[0].id
    site(0, renew, uuid, volume, str(connector))
    [after] = cloud.volumes.attachments(uuid)
    assert after.id != before
    connector.write_text('{"host": "another"}')
    site(7, renew, uuid, volume, str(connector))


@tells("libvirt get_machine_type", 0, 2, 3)
@tells("libvirt update_machine_type", 0, 2, 3, 4, 5)
@tells("libvirt list_unset_machine_type", 0, 2, 3)
@tells("image_property show", 0, 2, 3)
@tells("image_property set", 0, 2, 3, 4, 5)
def test_image_properties_of_servers(site: Site) -> None:
    uuid = site.boot("machine", stop=True)
    update, get, unset = "libvirt update_machine_type", "libvirt get_machine_type", "libvirt list_unset_machine_type"
    site(2, get, UNKNOWN)
    site(3, get, uuid)
    site(3, unset, "--cell_uuid", CELL1)
    site(2, unset, "--cell_uuid", UNKNOWN)
    site(2, update, UNKNOWN, "q35")
    site(5, update, uuid, "pc-i440fx-1.2")
    site(0, update, uuid, "pc-q35-7.2")
    site(0, get, uuid)
    site(4, update, uuid, "pc")
    site(4, update, uuid, "pc-q35-6.0")
    site(0, update, uuid, "pc", "--force")
    put, show = "image_property set", "image_property show"
    site(2, show, UNKNOWN, "os_type")
    site(3, show, uuid, "os_type")
    site(2, put, UNKNOWN, "--property", "os_type=linux")
    site(4, put, uuid, "--property", "my_own=1")
    site(5, put, uuid, "--property", "os_type=beos")
    site(0, put, uuid, "--property", "os_type=linux", "--property", "hw_disk_bus=sata")
    site(0, show, uuid, "hw_disk_bus")
    assert site.cloud.call("POST", f"/servers/{uuid}/action", {"os-start": None}).status_code == 202
    site.cloud.until(uuid, "ACTIVE")
    site(3, update, uuid, "pc")
    site(3, put, uuid, "--property", "os_type=linux")
    for one in without_machine_type(site.cloud.store.home):
        site(0, update, one, "q35", "--force")
    site(0, unset)


# -- limits --
class WithLimits:
    """An identity service, whose limits can be written."""

    def __init__(self, rest: Any) -> None:
        self._rest = rest
        self._kept: dict[str, list[dict[str, Any]]] = {"registered_limits": [], "limits": []}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        kind = environ["PATH_INFO"].removeprefix("/v3/")
        if kind not in self._kept:
            return self._rest(environ, start_response)
        if environ["REQUEST_METHOD"] == "POST":
            self._kept[kind] += json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))[kind]
        wanted = parse_qs(environ["QUERY_STRING"]).get("project_id", [None])[0]
        rows = [row for row in self._kept[kind] if wanted is None or row["project_id"] == wanted]
        body = json.dumps({kind: rows}).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]


@tells("limits migrate_to_unified_limits", 0, 2, 3)
def test_quotas_become_unified_limits(site: Site, tmp_path: Path) -> None:
    migrate = "limits migrate_to_unified_limits"
    identity = open_identity(Database(DatabaseOptions(connection=f"sqlite:///{tmp_path}/identity")), SystemClock())
    seed(identity.store, dict.fromkeys(USERS, "secret"), {"compute": "http://c.test", "identity": f"{IDENTITY}/v3"})
    site.mounts[IDENTITY] = WithLimits(build_identity(identity))
    project = identity.store.projects.find({"name": "demo"})[0]["id"]
    with site.cloud.store.api.write() as api:
        quotas.set_limits(api, project, {"cores": 7})
    site(0, migrate, "--dry-run")
    site(0, migrate, "--verbose")
    site(0, migrate, "--quiet")
    assert site.out is not None
    printed = site.out.readouterr().out
    assert printed.count("class:MEMORY_MB") == 2  # in the rehearsal, and once for good
    assert f"Project {project} has" not in printed
    flavor = site.cloud.call(
        "POST", "/flavors", {"flavor": {"name": "odd", "id": "odd", "vcpus": 1, "ram": 1, "disk": 0}}, token="admin:a"
    )
    assert flavor.status_code == 200
    specs = {"extra_specs": {"resources:CUSTOM_ODD": "1"}}
    assert site.cloud.call("POST", "/flavors/odd/os-extra_specs", specs, token="admin:a").status_code == 200
    site(3, migrate, "--no-embedded-flavor-scan", "--project-id", project)
    site.write(api=None)
    site(2, migrate)


def test_words_for_the_shell_and_the_version(site: Site) -> None:
    site(0, "bash-completion")
    site(0, "bash-completion", "cell_v2")
    site(0, "version")
    assert site.out is not None
    printed = site.out.readouterr().out.splitlines()
    assert {"db", "api_db", "cell_v2", "placement", "limits"} <= set(printed[0].split())
    assert "discover_hosts" in printed[1]
