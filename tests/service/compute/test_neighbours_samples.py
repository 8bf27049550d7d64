"""Replies about networks, images, hosts and usage have the keys and types of the published samples.

``tests/golden/neighbours/samples.json`` holds the samples' shapes, in the form of ``test_servers_samples``.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from tests.service.cloud import Cloud, running
from tests.service.compute.test_servers_samples import differences

from kilonova.clients.cinder.facts import Use
from kilonova.clients.glance.facts import NewImage
from kilonova.clients.ironic.fake import FakeNodes

_FILE = Path(__file__).parents[2] / "golden" / "neighbours" / "samples.json"
_SAMPLES: list[dict[str, Any]] = json.loads(_FILE.read_text())
_CASES = [
    pytest.param(entry, minor, id=f"{entry['sample']}@2.{minor}")
    for entry in _SAMPLES
    for minor in dict.fromkeys((entry["since"], entry["until"]))
]
_NODE = "058d27fa-241b-445a-a386-08c04f96db43"


class World:
    """A cloud with one of everything."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        cloud.flavor()
        api = cloud.network_api
        self.network = api.network("private", "project")
        public = api.network("public", cidr="172.24.4.0/24", external=True)
        self.server: str = cloud.boot(networks=[{"uuid": self.network}])["id"]
        port = api.rows("ports", [("device_id", self.server)])[0]["id"]
        floating = api.create("floatingips", [{"floating_network_id": public, "project_id": "project"}])[0]["id"]
        group = api.security_group("test", "project")
        properties = {"architecture": "x86_64", "auto_disk_config": "True"}
        image = cloud.images.add(
            NewImage(name="img", disk_format="raw", visibility="public", owner="project", properties=properties), b"x"
        )
        used = (Use(server_id=self.server, device="/dev/vdb"),)
        words = {"name": "v", "description": "d", "zone": "nova", "volume_type": "ceph", "created_at": "2026"}
        volume = cloud.volumes.add(100, status="in-use", uses=used, **words)
        self.names = {
            "volume_id": volume.id,
            "snapshot_id": cloud.volumes.create_snapshot(None, volume.id, "s", "d", force=True).id,
            "server_id": self.server,
            "port_id": port,
            "floating_ip_id": floating,
            "security_group_id": group,
            "network_id": self.network,
            "image_id": image.id,
            "key": "auto_disk_config",
            "host_name": "host1",
            "tenant_id": "project",
            "node_id": _NODE,
            "before_timestamp": quote("2030-07-05 10:00:00.000000"),
        }

    def body(self, sample: str) -> Any:
        group = self.names["security_group_id"]
        rule = {"ip_protocol": "tcp", "from_port": 22, "to_port": 22, "cidr": "10.0.0.0/24", "parent_group_id": group}
        attach: dict[str, Any] = {"net_id": self.network}
        bodies = {
            "attach-interfaces-create-resp": {"interfaceAttachment": attach},
            "floating-ips-create-resp": {"pool": "public"},
            "os-volumes-post-resp": {"volume": dict(_WORDS, size=100, availability_zone="z", volume_type="ceph")},
            "snapshot-create-resp": {"snapshot": dict(_WORDS, volume_id=self.names["volume_id"], force=True)},
            "security-groups-create-resp": {"security_group": {"name": "new", "description": "words"}},
            "security-group-rules-post-resp": {"security_group_rule": rule},
            "host-put-maintenance-resp": {"status": "enable", "maintenance_mode": "disable"},
            "image-metadata-post-resp": {"metadata": {"kernel_id": "False"}},
            "image-metadata-put-resp": {"metadata": {"auto_disk_config": "True", "Label": "Changed"}},
            "image-meta-key-put-resp": {"meta": {"auto_disk_config": "False"}},
        }
        return bodies[sample]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    node = {"uuid": _NODE, "provision_state": "active", "properties": {"cpus": 2}, "ports": []}
    with running(tmp_path_factory.mktemp("cloud"), nodes=0) as cloud:
        assert isinstance(cloud.compute.nodes, FakeNodes)
        cloud.compute.nodes.rows.append({**node, "instance_uuid": "1ea4e53e-149a-4f02-9515-590c9fb2315a"})
        yield World(cloud)


_QUERIES = {
    "images-details-get-resp": "name=tiny",
    "simple-tenant-usage-get": "start=2000-01-01T00:00:00",
    "simple-tenant-usage-get-all": "start=2000-01-01T00:00:00&detailed=1",
    "simple-tenant-usage-get-detail": "start=2000-01-01T00:00:00&detailed=1",
    "simple-tenant-usage-get-specific": "start=2000-01-01T00:00:00",
}
_WORDS = {"display_name": "name", "display_description": "description"}
_EMPTY = {"floating-ips-list-empty-resp"}


@pytest.mark.parametrize(("entry", "minor"), _CASES)
def test_reply_is_shaped_like_the_sample(entry: dict[str, Any], minor: int, world: World) -> None:
    sample = entry["sample"].rsplit("/", 1)[-1]
    query = _QUERIES.get(sample)
    if query and "_links" in str(entry["shape"]):
        query += "&limit=1"
    body = None if entry["method"] == "GET" else world.body(sample)
    token = "user:nobody" if sample in _EMPTY else "user:project"
    admins = entry["path"].startswith(("/os-simple", "/os-instance", "/os-hosts", "/os-networks", "/os-bare"))
    headers = {
        "X-Auth-Token": token,
        "X-Roles": "admin,member,reader" if admins else "member,reader",
        "OpenStack-API-Version": f"compute 2.{minor}",
    }
    path = f"/v2.1{entry['path'].format(**world.names)}"
    result = world.cloud.client.simulate_request(entry["method"], path, json=body, query_string=query, headers=headers)
    assert result.status_code == 200, result.text
    assert differences(entry["shape"], result.json) == []
    above = {**headers, "OpenStack-API-Version": f"compute 2.{entry['until'] + 1}"}
    if minor == entry["until"] and entry["until"] in (35, 38, 42):
        refused = world.cloud.client.simulate_request(entry["method"], path, json=body, headers=above)
        assert refused.status_code == 404
