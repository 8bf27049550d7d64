"""What would become of a create request."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.service.cloud import Cloud, running


@pytest.fixture(name="cloud", scope="module")
def _cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(Path(tmp_path_factory.mktemp("cloud")), "host1", "host2") as cloud:
        cloud.flavor()
        cloud.flavor("huge", ident="huge", vcpus=10_000)
        yield cloud


def rehearse(cloud: Cloud, **server: Any) -> Any:
    body = {"server": {"name": "web", "imageRef": cloud.image.id, "flavorRef": "1", "networks": "none", **server}}
    headers = {"X-Auth-Token": "rehearser:rehearsals", "OpenStack-API-Version": "compute 2.104"}
    return cloud.client.simulate_post("/ext/v1/servers/dry-run", json=body, headers=headers)


def counts(cloud: Cloud) -> tuple[int, int]:
    with cloud.store.home.database.read() as connection:
        servers = connection.exec_driver_sql("SELECT count(*) FROM servers").scalar_one()
    with cloud.placement_database.read() as connection:
        return servers, connection.exec_driver_sql("SELECT count(*) FROM allocations").scalar_one()


def test_dry_run_writes_nothing(cloud: Cloud) -> None:
    before = counts(cloud)
    result = rehearse(cloud, min_count=2, max_count=3)
    assert result.status_code == 200, result.text
    found = result.json["dry_run"]
    assert found["verdict"] == "accepted"
    assert found["asked_for"] == {"min": 2, "max": 3}
    assert found["would_fit"] > 3
    assert found["quota"]["instances"] == {"limit": 1000, "used": 0, "left": 1000}
    assert counts(cloud) == before


def test_dry_run_of_what_fits_nowhere(cloud: Cloud) -> None:
    found = rehearse(cloud, flavorRef="huge").json["dry_run"]
    assert (found["verdict"], found["would_fit"], found["had_room"]) == ("refused", 0, 0)
    assert any("VCPU" in reason for reason in found["reasons"])
    assert any("cores" in reason for reason in found["reasons"])


def test_dry_run_of_more_than_fits(cloud: Cloud) -> None:
    cloud.flavor("half", ident="half", vcpus=1, ram=1 << 20)
    whole = rehearse(cloud, flavorRef="half", max_count=200).json["dry_run"]
    assert whole["verdict"] in {"fewer", "refused"}
    assert whole["would_fit"] < 200
    assert whole["reasons"]


def test_dry_run_counts_the_quota(cloud: Cloud) -> None:
    quota = {"quota_set": {"instances": 2}}
    assert cloud.call("PUT", "/os-quota-sets/rehearsals", quota, token="admin:admin").status_code == 200
    found = rehearse(cloud, min_count=1, max_count=5).json["dry_run"]
    assert found["verdict"] == "fewer"
    assert any("instances" in reason for reason in found["reasons"])
    cloud.call("DELETE", "/os-quota-sets/rehearsals", token="admin:admin")


def test_dry_run_refuses_what_create_refuses(cloud: Cloud) -> None:
    result = rehearse(cloud, flavorRef="none-such")
    assert result.status_code == 400
    assert "flavorRef" in result.json["badRequest"]["message"]
    assert rehearse(cloud, unknown=1).status_code == 400
