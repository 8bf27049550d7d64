"""How many SQL statements a request may send: every endpoint, with little there and with much.

``tests/golden/budgets.tsv`` has the status and the budget of each. What is new in the routing table needs a line there
(a status of refusal is for what these clouds have not); writes need a body here.
"""

import csv
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.service.cloud import Cloud, wait_for
from tests.service.compute.harness import add_host, add_server

from kilonova.api.app import endpoints
from kilonova.clients.glance.facts import NewImage
from kilonova.kit.http.endpoint import Endpoint
from kilonova.store import cell_tables

_GOLDEN = Path(__file__).parents[2] / "golden" / "budgets.tsv"
_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGKqnJdvPbIrxMWBOn6iFVvEVcNRyhoXVqP1VsFnGjXd someone@somewhere"
_ELSEWHERE = ("/.", "/ext/v1/events", "/ext/v1/openapi.json", "/versions")
"""Documents about the API itself, and a reply that never ends."""
_WAITING = {
    "changePassword",
    "POST /servers/{server_id}/os-interface",
    "DELETE /servers/{server_id}/os-interface/{port_id}",
}
"""Those ask in a loop whether a conductor, which is halted here, has done its part."""
_STATES = {
    "os-start": "stopped",
    "unpause": "paused",
    "resume": "suspended",
    "confirmResize": "resized",
    "revertResize": "resized",
    "restore": "soft-delete",
    "forceDelete": "active",
    "unrescue": "rescued",
    "shelveOffload": "shelved",
    "unshelve": "shelved_offloaded",
}
"""What a server has to be in for an action; else it is active."""


def _name(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.path} {endpoint.action or ''}".strip()


def _measured() -> list[Endpoint]:
    """What does something: neither gone for good nor about the API itself."""
    return [
        e
        for e in endpoints()
        if e.handler.__name__ != "gone" and not e.path.startswith(_ELSEWHERE) and not {_name(e), e.action} & _WAITING
    ]


class World:
    """A cloud whose conductor is halted once ``size`` of everything is there."""

    def __init__(self, directory: Path, size: int) -> None:
        self.cloud = cloud = Cloud(directory, spice={"enabled": True}, serial_console={"enabled": True})
        cloud.start("host1", "host2", nodes=0)
        for number in range(1, size + 3):
            cloud.flavor(f"f{number}", ident=str(number), **{"os-flavor-access:is_public": number != 2})
        network = cloud.network_api.network("private", "project")
        cloud.network_api.network("public", cidr="172.24.4.0/24", external=True)
        group = str(cloud.network_api.security_group("web", "project"))
        image = cloud.images.add(
            NewImage(name="own", visibility="public", owner="project", properties={"a": "b"}), b"x"
        )
        self.things(size)
        self.uuids = [self.server(network, size)["id"] for _number in range(size)]
        self.uuid = self.uuids[0]
        volume, *_others = [self.attached() for _number in range(size)]
        self.moved(size)
        cloud.conductor.stop()
        for number in range(size):
            add_host(cloud.store, f"more{number}")
            add_server(cloud.store, f"more{number}", project="project")
        self.names = {
            "server_id": self.uuid,
            "flavor_id": "1",
            "network_id": network,
            "image_id": image.id,
            "volume_id": volume,
            "security_group_id": group,
            "port_id": cloud.network_api.rows("ports", [("device_id", self.uuid)])[0]["id"],
            **self.found(),
        }

    def ask(
        self, method: str, path: str, body: Any = None, version: str = "2.104", token: str = "admin:project"
    ) -> Any:
        return self.cloud.call(method, path, body, version=version, token=token)

    def things(self, size: int) -> None:
        """Of what is made by a request."""
        for number in range(size):
            self.ask("POST", "/os-server-groups", {"server_group": {"name": f"g{number}", "policy": "soft-affinity"}})
            self.ask("POST", "/os-aggregates", {"aggregate": {"name": f"a{number}"}})
            self.ask("POST", "/os-keypairs", {"keypair": {"name": f"k{number}", "type": "ssh", "public_key": _KEY}})
            self.ask("POST", "/flavors/1/os-extra_specs", {"extra_specs": {f"own:{number}": "1"}})
            self.ask("POST", "/flavors/2/action", {"addTenantAccess": {"tenant": f"p{number}"}})
        self.ask("POST", "/os-aggregates/1/action", {"add_host": {"host": "host1"}})
        self.ask("POST", "/os-aggregates/1/action", {"set_metadata": {"metadata": {"key": "value"}}})

    def server(self, network: str, size: int) -> dict[str, Any]:
        networks = [{"uuid": network}] * size
        labels = {f"key{number}": "value" for number in range(size)}
        return self.cloud.boot(networks=networks, metadata=labels, tags=[f"t{number}" for number in range(size)])

    def attached(self) -> str:
        volume = self.cloud.volumes.add()
        path = f"/servers/{self.uuid}/os-volume_attachments"
        assert self.ask("POST", path, {"volumeAttachment": {"volumeId": volume.id}}).status_code in (200, 202)
        wait_for(lambda: self.cloud.volumes.get(None, volume.id).status == "in-use")
        return volume.id

    def moved(self, times: int) -> None:
        for _number in range(times):
            for action, status in (("migrate", "VERIFY_RESIZE"), ("confirmResize", "ACTIVE")):
                assert self.ask("POST", f"/servers/{self.uuid}/action", {action: None}).status_code in (202, 204)
                self.cloud.until(self.uuid, status)

    def found(self) -> dict[str, str]:
        """Names that the cloud gave."""
        actions = self.ask("GET", f"/servers/{self.uuid}/os-instance-actions").json["instanceActions"]
        body = {"remote_console": {"protocol": "spice", "type": "spice-direct"}}
        console = self.ask("POST", f"/servers/{self.uuid}/remote-consoles", body).json["remote_console"]["url"]
        return {
            "request_id": actions[-1]["request_id"],
            "console_token": console.partition("token=")[2],
            "service_id": self.ask("GET", "/os-services?host=host2").json["services"][0]["id"],
            "server_group_id": self.ask("GET", "/os-server-groups").json["server_groups"][0]["id"],
            "hypervisor_id": self.ask("GET", "/os-hypervisors").json["hypervisors"][0]["id"],
        }

    def path(self, endpoint: Endpoint) -> str:
        kind = endpoint.path.split("/")[1]
        fixed = {
            "aggregate_id": "1",
            "alias": "os-agents",
            "before_timestamp": "2030-01-01%2000:00:00",
            "flavor_id": "2" if "access" in endpoint.path or "Tenant" in (endpoint.action or "") else "1",
            "host_name": "host1",
            "id": {"os-quota-class-sets": "default", "os-server-groups": self.names["server_group_id"]}.get(kind, ""),
            "key": {"flavors": "own:0", "images": "a"}.get(kind, "key0"),
            "label": "private",
            "name": "k0",
            "tag": "t0",
            "tenant_id": "project",
        }
        if kind == "os-hypervisors":
            fixed["id"] = "host1" if endpoint.until == (2, 52) else self.names["hypervisor_id"]
        known = {**self.names, **fixed}
        return "/".join(
            known.get(part[1:-1], "1") if part.startswith("{") else part for part in endpoint.path.split("/")
        )

    def settle(self, state: str) -> None:
        """The server is in this state, whatever was asked before."""
        table = cell_tables.servers
        with self.cloud.store.home.database.write() as connection:
            values = {"vm_state": state, "task_state": None, "locked": None}
            known = {name: value for name, value in values.items() if name in table.c}
            connection.execute(table.update().where(table.c.uuid == self.uuid).values(**known))

    def cost(self, endpoint: Endpoint) -> tuple[int, int]:
        """Status and statements of the second of two equal requests (or the first, of what works once)."""
        version = "{}.{}".format(*(endpoint.until or (2, 104)))
        self.settle(_STATES.get(endpoint.action or "", "active"))
        if endpoint.method == "GET":
            self.ask("GET", self.path(endpoint), version=version)
        databases = (self.cloud.store.api, *(cell.database for cell in self.cloud.store.cells))
        with ExitStack() as stack:
            sent = [stack.enter_context(database.statements.watch()) for database in databases]
            reply = self.ask(endpoint.method, self.path(endpoint), self.body(endpoint), version=version)
        return reply.status_code, sum(map(len, sent))

    def body(self, endpoint: Endpoint) -> Any:
        if endpoint.method not in ("POST", "PUT"):
            return None
        if endpoint.action:
            return {endpoint.action: self.action(endpoint.action)}
        return self.bodies().get(f"{endpoint.method} {endpoint.path}")

    def action(self, name: str) -> Any:
        address = self.cloud.network_api.rows("ports", [("device_id", self.uuid)])[0]["fixed_ips"][0]["ip_address"]
        values: dict[str, Any] = {
            "addFixedIp": {"networkId": self.names["network_id"]},
            "addSecurityGroup": {"name": "web"},
            "addTenantAccess": {"tenant": "new"},
            "add_host": {"host": "host2"},
            "changePassword": {"adminPass": "foo"},
            "createBackup": {"name": "b", "backup_type": "daily", "rotation": 1},
            "createImage": {"name": "copy"},
            "os-getConsoleOutput": {"length": 5},
            "os-getSPICEConsole": {"type": "spice-html5"},
            "os-getSerialConsole": {"type": "serial"},
            "os-getVNCConsole": {"type": "novnc"},
            "os-migrateLive": {"host": None, "block_migration": "auto"},
            "os-resetState": {"state": "active"},
            "reboot": {"type": "HARD"},
            "rebuild": {"imageRef": self.cloud.image.id},
            "removeFixedIp": {"address": address},
            "removeSecurityGroup": {"name": "web"},
            "removeTenantAccess": {"tenant": "p0"},
            "remove_host": {"host": "host2"},
            "resize": {"flavorRef": "3"},
            "set_metadata": {"metadata": {"key": "new"}},
        }
        return values.get(name)

    def bodies(self) -> dict[str, Any]:
        image, web, event = self.cloud.image.id, self.names["security_group_id"], {"name": "network-changed"}
        new = {"server": {"name": "new", "imageRef": image, "flavorRef": "1", "networks": "none"}}
        service = {"host": "host1", "binary": "nova-compute"}
        volume = {"volume_id": self.names["volume_id"]}
        return {
            "POST /ext/v1/servers/dry-run": new,
            "POST /flavors": {"flavor": {"name": "new", "ram": 1, "vcpus": 1, "disk": 1}},
            "PUT /flavors/{flavor_id}": {"flavor": {"description": "new"}},
            "POST /flavors/{flavor_id}/os-extra_specs": {"extra_specs": {"own:new": "1", "own:too": "1"}},
            "PUT /flavors/{flavor_id}/os-extra_specs/{key}": {"own:0": "2"},
            "POST /images/{image_id}/metadata": {"metadata": {"b": "c"}},
            "PUT /images/{image_id}/metadata": {"metadata": {"a": "c"}},
            "PUT /images/{image_id}/metadata/{key}": {"meta": {"a": "d"}},
            "POST /os-aggregates": {"aggregate": {"name": "new"}},
            "PUT /os-aggregates/{aggregate_id}": {"aggregate": {"name": "renamed"}},
            "POST /os-aggregates/{aggregate_id}/images": {"cache": [{"id": image}]},
            "POST /os-floating-ips": {"pool": "public"},
            "PUT /os-hosts/{host_name}": {"status": "enable"},
            "POST /os-keypairs": {"keypair": {"name": "new", "type": "ssh", "public_key": _KEY}},
            "PUT /os-quota-class-sets/{id}": {"quota_class_set": {"instances": 50}},
            "PUT /os-quota-sets/{tenant_id}": {"quota_set": {"instances": 90}},
            "POST /os-security-groups": {"security_group": {"name": "new", "description": "d"}},
            "PUT /os-security-groups/{security_group_id}": {"security_group": {"name": "web", "description": "e"}},
            "POST /os-security-group-rules": {
                "security_group_rule": {"ip_protocol": "tcp", "from_port": 1, "to_port": 2, "parent_group_id": web}
            },
            "POST /os-server-external-events": {"events": [{**event, "server_uuid": uuid} for uuid in self.uuids]},
            "POST /os-server-groups": {"server_group": {"name": "new", "policy": "affinity"}},
            "PUT /os-services/disable": service,
            "PUT /os-services/disable-log-reason": {**service, "disabled_reason": "r"},
            "PUT /os-services/enable": service,
            "PUT /os-services/force-down": {**service, "forced_down": False},
            "PUT /os-services/{service_id}": {"status": "enabled"},
            "POST /os-snapshots": {"snapshot": {**volume, "force": True}},
            "POST /os-volumes": {"volume": {"size": 1}},
            "POST /os-volumes_boot": new,
            "PUT /os-volumes_boot/{server_id}": {"server": {"name": "new"}},
            "POST /servers": new,
            "PUT /servers/{server_id}": {"server": {"name": "new"}},
            "POST /servers/{server_id}/metadata": {"metadata": {"a": "b", "c": "d"}},
            "PUT /servers/{server_id}/metadata": {"metadata": {"key0": "e", "c": "d"}},
            "PUT /servers/{server_id}/metadata/{key}": {"meta": {"key0": "f"}},
            "POST /servers/{server_id}/os-interface": {"interfaceAttachment": {"net_id": self.names["network_id"]}},
            "POST /servers/{server_id}/os-volume_attachments": {
                "volumeAttachment": {"volumeId": self.cloud.volumes.add().id}
            },
            "PUT /servers/{server_id}/os-volume_attachments/{volume_id}": {
                "volumeAttachment": {"volumeId": self.names["volume_id"], "delete_on_termination": True}
            },
            "POST /servers/{server_id}/remote-consoles": {"remote_console": {"protocol": "vnc", "type": "novnc"}},
            "POST /servers/{server_id}/shares": {"share": {"share_id": self.cloud.shares.add().id}},
            "PUT /servers/{server_id}/tags": {"tags": ["t0", "new", "more"]},
        }


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[World]]:
    made = [World(tmp_path_factory.mktemp(f"size{size}"), size) for size in (1, 4)]
    yield made
    for world in made:
        world.cloud.stop()


def _budgets() -> dict[str, tuple[int, int]]:
    with _GOLDEN.open(newline="") as stream:
        rows = csv.DictReader(stream, delimiter="\t")
        return {row["request"]: (int(row["status"]), int(row["statements"])) for row in rows}


def _in_order() -> list[Endpoint]:
    """Reads first, deletions last and the deepest of these before what holds them."""
    order = ("GET", "POST", "PUT", "DELETE")
    return sorted(_measured(), key=lambda e: (order.index(e.method), e.method == "DELETE" and -e.path.count("/")))


def test_every_endpoint_keeps_its_budget_whatever_there_is(worlds: list[World]) -> None:
    budgets = _budgets()
    found = [(endpoint, [world.cost(endpoint) for world in worlds]) for endpoint in _in_order()]
    assert {_name(endpoint) for endpoint, _ in found} == set(budgets)
    wrong = []
    for endpoint, ((status, few), (_, many)) in found:
        expected, budget = budgets[_name(endpoint)]
        grows = endpoint.method == "GET" and few != many
        if status != expected or max(few, many) > budget or grows:
            wrong.append(f"{_name(endpoint)}: {status}, {few} and {many} statements, budget {budget}")
    assert not wrong, "\n".join(wrong)
