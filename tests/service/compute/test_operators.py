"""Hosts, usage, audit and images ahead of use: what operators look at and ask for."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.service.cloud import Cloud, running, wait_for

from kilonova.clients.glance.facts import NewImage
from kilonova.kit.clock import SystemClock, stamp
from kilonova.store.cell_tables import servers

MISSING = "00000000-0000-4000-8000-00000000dead"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("cloud"), "host1", "host2") as made:
        made.flavor(vcpus=2, ram=512, disk=3)
        yield made


def ask(cloud: Cloud, method: str, path: str, status: int, body: Any = None, **more: Any) -> Any:
    more.setdefault("token", "admin:admin")
    result = cloud.call(method, path, body, **more)
    assert result.status_code == status, result.text
    return result.json if result.content else None


def test_hosts_with_what_their_projects_use(cloud: Cloud) -> None:
    server = cloud.boot()
    host = cloud.show(server["id"], token="admin:admin").json["server"]["OS-EXT-SRV-ATTR:host"]
    for zone in ("nova", ""):
        listed = ask(cloud, "GET", f"/os-hosts?service=compute&zone={zone}", 200, version="2.42")["hosts"]
        assert sorted(entry["host_name"] for entry in listed) == ["host1", "host2"]
    entries = ask(cloud, "GET", f"/os-hosts/{host}", 200, version="2.42")["host"]
    found = {entry["resource"]["project"]: entry["resource"] for entry in entries}
    assert (found["project"]["cpu"], found["project"]["memory_mb"], found["project"]["disk_gb"]) == (2, 512, 3)
    assert found["(used_max)"]["cpu"] == 2
    assert found["(total)"]["cpu"] > 2
    ask(cloud, "GET", f"/os-hosts/{host}", 404)
    ask(cloud, "GET", "/os-hosts/nowhere", 404, version="2.1")
    ask(cloud, "GET", "/os-hosts", 403, version="2.1", token="user:project")


def test_a_host_is_switched(cloud: Cloud) -> None:
    off = ask(cloud, "PUT", "/os-hosts/host2", 200, {"status": "Disable"}, version="2.1")
    assert off == {"host": "host2", "status": "disabled"}
    states = {s["host"]: s["status"] for s in ask(cloud, "GET", "/os-services?binary=nova-compute", 200)["services"]}
    assert states == {"host1": "enabled", "host2": "disabled"}
    ask(cloud, "PUT", "/os-hosts/host2", 200, {"status": "enable"}, version="2.1")
    answer = ask(cloud, "GET", "/os-hosts/host2/reboot", 200, version="2.1")
    assert answer == {"host": "host2", "power_action": "reboot"}
    for body in ({}, {"status": "maybe"}, {"other": "enable"}):
        ask(cloud, "PUT", "/os-hosts/host2", 400, body, version="2.1")


def test_usage_adds_up(cloud: Cloud) -> None:
    now = SystemClock().now()
    server = cloud.boot("used")
    lived = {"launched_at": stamp(now - timedelta(hours=10)), "terminated_at": stamp(now - timedelta(hours=2))}
    with cloud.store.home.database.write() as connection:
        connection.execute(sa.update(servers).values(launched_at=stamp(now + timedelta(days=9))))
        connection.execute(sa.update(servers).where(servers.c.uuid == server["id"]).values(**lived))
    start = (now - timedelta(hours=6)).isoformat()
    path = f"/os-simple-tenant-usage/project?start={start}&end={now.isoformat()}"
    usage = ask(cloud, "GET", path, 200, token="user:project")["tenant_usage"]
    assert round(usage["total_hours"], 3) == 4.0
    assert round(usage["total_vcpus_usage"], 3) == 8.0
    assert round(usage["total_memory_mb_usage"], 3) == 2048.0
    (mine,) = usage["server_usages"]
    assert (mine["state"], mine["name"], mine["local_gb"], mine["uptime"]) == ("terminated", "used", 3, 8 * 3600)
    before = (now - timedelta(hours=40)).isoformat()
    earlier = f"/os-simple-tenant-usage?start={before}&end={(now - timedelta(hours=20)).isoformat()}"
    assert ask(cloud, "GET", earlier, 200)["tenant_usages"] == []
    ask(cloud, "GET", "/os-simple-tenant-usage", 403, token="user:project")
    ask(cloud, "GET", "/os-simple-tenant-usage/other", 403, token="user:project")
    ask(cloud, "GET", f"/os-simple-tenant-usage?start={now.isoformat()}&end={start}", 400)
    ask(cloud, "GET", "/os-simple-tenant-usage?start=yesterday", 400)


def test_usage_comes_in_pages_and_costs_as_much_as_one(cloud: Cloud) -> None:
    made = cloud.boot("page")["id"]
    with cloud.store.home.database.write() as connection:
        columns = [c for c in servers.c if c.name not in ("id", "uuid", "project_id")]
        source = sa.select(servers).where(servers.c.uuid == made)
        row = connection.execute(source).mappings().one()
        values = {c.name: row[c.name] for c in columns} | {"launched_at": "2001-01-01T00:00:00.000000"}
        connection.execute(
            servers.insert(),
            [{**values, "uuid": f"00000000-0000-4000-8000-{n:012}", "project_id": f"p{n % 3}"} for n in range(300)],
        )
    seen: list[str] = []

    def count(*event: Any) -> None:
        seen.append(str(event[2]))

    path = "/os-simple-tenant-usage?start=2001-01-01T00:00:00&end=2001-01-02T00:00:00&detailed=1"
    sa.event.listen(cloud.store.home.database.engine, "before_cursor_execute", count)
    whole = ask(cloud, "GET", path, 200)["tenant_usages"]
    sa.event.remove(cloud.store.home.database.engine, "before_cursor_execute", count)
    assert len([s for s in seen if "launched_at" in s and s.startswith("SELECT")]) == 1
    assert {u["tenant_id"]: len(u["server_usages"]) for u in whole} == {"p0": 100, "p1": 100, "p2": 100}
    found: list[str] = []
    following: str | None = f"{path}&limit=70"
    while following:
        page = ask(cloud, "GET", following, 200)
        found += [s["instance_id"] for usage in page["tenant_usages"] for s in usage["server_usages"]]
        links = page.get("tenant_usages_links")
        following = links[0]["href"].partition("/v2.1")[2] if links else None
    assert len(found) == len(set(found)) == 300
    ask(cloud, "GET", f"{path}&marker={MISSING}", 400)
    assert "tenant_usages_links" not in ask(cloud, "GET", path, 200, version="2.39")


def test_hosts_tell_what_their_servers_are_made_of(tmp_path: Path) -> None:
    weighers = {"image_props_weight_multiplier": 100.0}
    with running(tmp_path, "host1", "host2", filter_scheduler=weighers) as made:
        made.flavor()
        facts: dict[str, Any] = {"disk_format": "qcow2", "container_format": "bare", "visibility": "public"}
        images = [
            made.images.add(NewImage(name=name, properties={"os_distro": name}, **facts), b"x").id
            for name in ("debian", "fedora")
        ]
        for image in images * 3:
            made.boot(image, imageRef=image)
        rows = made.call("GET", "/servers/detail", token="admin:project").json["servers"]
        homes = {image: {row["OS-EXT-SRV-ATTR:host"] for row in rows if row["name"] == image} for image in images}
        assert [len(found) for found in homes.values()] == [1, 1]
        assert homes[images[0]] != homes[images[1]]


def test_an_audit_that_is_off_has_not_run(cloud: Cloud) -> None:
    log = ask(cloud, "GET", "/os-instance_usage_audit_log", 200)["instance_usage_audit_logs"]
    assert (log["num_hosts_not_run"], sorted(log["hosts_not_run"]), log["log"]) == (2, ["host1", "host2"], {})
    assert log["overall_status"] == "0 of 2 hosts done. 0 errors."
    earlier = ask(cloud, "GET", "/os-instance_usage_audit_log/2012-07-05%2010:00:00.000000", 200)
    assert earlier["instance_usage_audit_log"]["period_beginning"] == "2012-06-01 00:00:00"
    ask(cloud, "GET", "/os-instance_usage_audit_log/last-week", 400)


def test_an_audit_is_what_hosts_had_told(cloud: Cloud) -> None:
    cloud.hosts["host1"].reporter.audit()
    log = ask(cloud, "GET", "/os-instance_usage_audit_log", 200)["instance_usage_audit_logs"]
    assert (log["num_hosts_done"], log["num_hosts_running"], log["hosts_not_run"]) == (1, 0, ["host2"])
    assert (log["log"]["host1"]["state"], log["log"]["host1"]["errors"]) == ("DONE", 0)
    assert log["log"]["host1"]["message"].startswith("Instance usage audit ran for host host1, 0 instances in ")
    assert log["overall_status"] == "1 of 2 hosts done. 0 errors."


def test_hosts_of_an_aggregate_fetch_images(cloud: Cloud) -> None:
    made = ask(cloud, "POST", "/os-aggregates", 200, {"aggregate": {"name": "a"}})["aggregate"]["id"]
    path = f"/os-aggregates/{made}"
    wanted = {"cache": [{"id": cloud.image.id}]}
    ask(cloud, "POST", f"{path}/images", 202, wanted)
    for host in ("host1", "host2"):
        ask(cloud, "POST", f"{path}/action", 200, {"add_host": {"host": host}})
    ask(cloud, "POST", f"{path}/images", 202, wanted)
    drivers: list[Any] = [host.driver for host in cloud.hosts.values()]
    wait_for(lambda: all(driver.cached == {cloud.image.id} for driver in drivers))
    ask(cloud, "POST", f"{path}/images", 400, {"cache": [{"id": MISSING}]})
    ask(cloud, "POST", f"{path}/images", 400, {"cache": []})
    ask(cloud, "POST", "/os-aggregates/4711/images", 404, wanted)
    ask(cloud, "POST", f"{path}/images", 404, wanted, version="2.80")
    ask(cloud, "POST", f"{path}/images", 403, wanted, token="user:project")
