"""Limits that Keystone keeps: they hold at the accept, and every route that shows limits shows them."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from tests.service.cloud import Cloud, wait_for

from kilonova.clients.keystone.limits import FakeLimits

_REGISTERED = {"servers": 2, "class:VCPU": 20, "class:MEMORY_MB": -1, "server_key_pairs": 1, "server_groups": 1}


class Shrinking(FakeLimits):
    """Says nobody may have more VCPUs than that, to all but the next who asks."""

    after_next: int | None = None

    def of(self, project_id: str | None) -> Mapping[str, int]:
        found = super().of(project_id)
        if self.after_next is not None:
            self.table[None]["class:VCPU"] = self.after_next
        return found


class Limited(Cloud):
    def __init__(self, *arguments: Any, **sections: Any) -> None:
        self.limits = Shrinking({None: _REGISTERED, "rich": {"servers": 5}})
        super().__init__(*arguments, **sections)


@pytest.fixture
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    quota = {"driver": "nova.quota.UnifiedLimitsDriver", "instances": 0}
    made = Limited(tmp_path_factory.mktemp("cloud"), quota=quota)
    made.start()
    made.flavor()
    yield made
    made.stop()


def ask(cloud: Cloud, method: str, path: str, status: int, body: Any = None, **more: Any) -> Any:
    result = cloud.call(method, path, body, **more)
    assert result.status_code == status, result.text
    return result.json


def test_keystones_limits_hold(cloud: Cloud) -> None:
    cloud.boot()
    body = {"name": "x", "imageRef": cloud.image.id, "flavorRef": "1", "networks": "none"}
    refused = ask(cloud, "POST", "/servers", 403, {"server": {**body, "min_count": 2}})
    assert "2" in refused["forbidden"]["message"]
    ask(cloud, "POST", "/servers", 202, {"server": body})
    ask(cloud, "POST", "/servers", 403, {"server": body})
    ask(cloud, "POST", "/servers", 202, {"server": {**body, "min_count": 5}}, token="user:rich")
    group = {"server_group": {"name": "g", "policy": "affinity"}}
    ask(cloud, "POST", "/os-server-groups", 200, group)
    ask(cloud, "POST", "/os-server-groups", 403, group)


def test_every_route_shows_them_and_none_changes_them(cloud: Cloud) -> None:
    absolute = ask(cloud, "GET", "/limits", 200, token="user:rich")["limits"]["absolute"]
    assert (absolute["maxTotalInstances"], absolute["maxTotalCores"], absolute["maxTotalRAMSize"]) == (5, 20, -1)
    admin: dict[str, Any] = {"token": "admin:admin"}
    assert ask(cloud, "GET", "/os-quota-sets/rich", 200, **admin)["quota_set"]["instances"] == 5
    assert ask(cloud, "GET", "/os-quota-sets/rich/defaults", 200, **admin)["quota_set"]["instances"] == 2
    assert ask(cloud, "GET", "/os-quota-class-sets/default", 200, **admin)["quota_class_set"]["server_groups"] == 1
    changed = ask(cloud, "PUT", "/os-quota-sets/rich", 200, {"quota_set": {"instances": 99}}, **admin)
    assert changed["quota_set"]["instances"] == 5
    detail = ask(cloud, "GET", "/os-quota-sets/rich/detail", 200, **admin)["quota_set"]
    assert detail["instances"] == {"limit": 5, "in_use": 0, "reserved": 0}


def test_a_resize_is_checked_again_when_it_is_counted(cloud: Cloud) -> None:
    cloud.add_host("host2")
    cloud.flavor("larger", ident="larger", vcpus=4)
    uuid = cloud.boot()["id"]
    cloud.limits.after_next = 3
    ask(cloud, "POST", f"/servers/{uuid}/action", 202, {"resize": {"flavorRef": "larger"}})
    wait_for(lambda: cloud.show(uuid).json["server"]["OS-EXT-STS:task_state"] is None)
    server = cloud.show(uuid).json["server"]
    assert (server["flavor"]["vcpus"], cloud.call("GET", "/limits").json["limits"]["absolute"]["totalCoresUsed"]) == (
        1,
        1,
    )
    record = cloud.call("GET", f"/servers/{uuid}/os-instance-actions").json["instanceActions"][0]
    assert (record["action"], record["message"]) == ("resize", "Error")
