from typing import Any

import pytest
from tests.service.compute.harness import NOW, Api, add_host, add_service

PATH = "/os-availability-zone"


@pytest.fixture(autouse=True)
def hosts(api: Api) -> None:
    for host in ("h1", "h2"):
        add_host(api.compute.store, host)
    add_service(api.compute.store, "c1", "nova-scheduler")
    api.post("/os-aggregates", {"aggregate": {"name": "a", "availability_zone": "paris"}})
    api.post("/os-aggregates/1/action", {"add_host": {"host": "h2"}})


def entry(zone: str, *, available: bool = True, hosts: Any = None) -> dict[str, Any]:
    return {"zoneName": zone, "zoneState": {"available": available}, "hosts": hosts}


def test_zones_of_compute_hosts_are_for_everyone(api: Api) -> None:
    found = api.member().get(PATH)["availabilityZoneInfo"]
    assert found == [entry("nova"), entry("paris")]


def test_a_zone_of_disabled_hosts_is_not_available(api: Api) -> None:
    api.put("/os-services/disable", {"host": "h2", "binary": "nova-compute"})
    assert api.get(PATH)["availabilityZoneInfo"] == [entry("nova"), entry("paris", available=False)]


def test_details_name_hosts_and_services_and_are_for_admins(api: Api) -> None:
    up = {"active": True, "available": True, "updated_at": NOW}
    assert api.get(f"{PATH}/detail")["availabilityZoneInfo"] == [
        entry("internal", hosts={"c1": {"nova-scheduler": up}}),
        entry("nova", hosts={"h1": {"nova-compute": up}}),
        entry("paris", hosts={"h2": {"nova-compute": up}}),
    ]
    api.member().get(f"{PATH}/detail", status=403)
