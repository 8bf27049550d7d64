"""Filters that look at the servers which hosts have already."""

from pathlib import Path
from typing import Any

from tests.service.cloud import Cloud, running


def boot(cloud: Cloud, status: str = "ACTIVE", **hints: Any) -> tuple[str, str | None]:
    """UUID and host of a new server."""
    server = {"name": "n", "imageRef": cloud.image.id, "flavorRef": "1", "networks": "none"}
    made = cloud.call("POST", "/servers", {"server": server, "os:scheduler_hints": hints})
    uuid: str = made.json["server"]["id"]
    cloud.until(uuid, status)
    return uuid, cloud.show(uuid, token="admin:project").json["server"]["OS-EXT-SRV-ATTR:host"]


def test_same_and_different_host(tmp_path: Path) -> None:
    filters = ["ComputeFilter", "SameHostFilter", "DifferentHostFilter"]
    with running(tmp_path, "host1", "host2", filter_scheduler={"enabled_filters": filters}) as cloud:
        cloud.flavor()
        first, host = boot(cloud)
        assert {boot(cloud, same_host=[first])[1] for _ in range(3)} == {host}
        second, other = boot(cloud, different_host=[first])
        assert {host, other} == {"host1", "host2"}
        boot(cloud, "ERROR", different_host=[first, second])


def test_hosts_that_have_enough_servers(tmp_path: Path) -> None:
    options = {"enabled_filters": ["NumInstancesFilter"], "max_instances_per_host": 2}
    with running(tmp_path, filter_scheduler=options) as cloud:
        cloud.flavor()
        boot(cloud)
        boot(cloud)
        boot(cloud, "ERROR")
