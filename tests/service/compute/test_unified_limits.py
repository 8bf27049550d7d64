"""Limits that Keystone keeps: they hold at the accept, and every route that shows limits shows them."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from tests.service.cloud import Cloud, running

from kilonova.clients.keystone.limits import FakeLimits

_REGISTERED = {"servers": 2, "class:VCPU": 20, "class:MEMORY_MB": -1, "server_key_pairs": 1, "server_groups": 1}


@pytest.fixture
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    quota = {"driver": "nova.quota.UnifiedLimitsDriver", "instances": 0}
    with running(tmp_path_factory.mktemp("cloud"), quota=quota) as made:
        made.flavor()
        limits = FakeLimits({None: _REGISTERED, "rich": {"servers": 5}})
        made.use(dataclasses.replace(made.compute, limits=limits))
        yield made


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
