from typing import Any

import pytest
from tests.service.compute.harness import Api, add_host, add_server

PATH = "/os-hypervisors"


@pytest.fixture(autouse=True)
def hosts(api: Api) -> None:
    for host in ("alpha", "beta", "gamma"):
        add_host(api.compute.store, host)


def names(found: Any) -> list[str]:
    return [node["hypervisor_hostname"] for node in found["hypervisors"]]


def ident(api: Api, name: str, version: str = "2.53") -> str:
    return str(next(n["id"] for n in api.get(PATH, version)["hypervisors"] if n["hypervisor_hostname"] == name))


def test_use_is_what_the_servers_take(api: Api) -> None:
    for _ in range(2):
        add_server(api.compute.store, "beta")
    found = api.get(f"{PATH}/{ident(api, 'beta')}", "2.53")["hypervisor"]
    assert (found["vcpus"], found["vcpus_used"], found["running_vms"]) == (8, 4, 2)
    assert (found["memory_mb_used"], found["free_ram_mb"]) == (1024, 8192 - 1024)
    assert (found["local_gb_used"], found["free_disk_gb"], found["disk_available_least"]) == (20, 80, 90)


def test_statistics_sum_up_enabled_hosts(api: Api) -> None:
    add_server(api.compute.store, "beta")
    api.put("/os-services/disable", {"host": "gamma", "binary": "nova-compute"})
    found = api.get(f"{PATH}/statistics")["hypervisor_statistics"]
    assert (found["count"], found["vcpus"], found["vcpus_used"], found["running_vms"]) == (2, 16, 2, 1)
    api.get(f"{PATH}/statistics", "2.88", status=404)


def test_cpu_info_is_text_until_2_27(api: Api) -> None:
    assert api.get(f"{PATH}/detail", "2.27")["hypervisors"][0]["cpu_info"] == '{"arch":"x86_64"}'
    assert api.get(f"{PATH}/detail", "2.28")["hypervisors"][0]["cpu_info"] == {"arch": "x86_64"}


def test_state_and_status(api: Api) -> None:
    api.put("/os-services/disable", {"host": "beta", "binary": "nova-compute"})
    api.compute.clock.sleep(61)
    assert [(n["state"], n["status"]) for n in api.get(PATH)["hypervisors"]] == [
        ("down", "enabled"),
        ("down", "disabled"),
        ("down", "enabled"),
    ]


@pytest.mark.parametrize("version", ["2.33", "2.52", "2.53", "2.104"])
@pytest.mark.parametrize("path", [PATH, f"{PATH}/detail"])
def test_following_next_links_sees_each_node_once(api: Api, path: str, version: str) -> None:
    seen, following = [], f"{path}?limit=1"
    while following:
        page = api.get(following, version)
        seen += names(page)
        following = page["hypervisors_links"][0]["href"].split("/v2.1", 1)[1] if "hypervisors_links" in page else ""
    assert seen == ["alpha", "beta", "gamma"]


def test_paging_starts_at_2_33(api: Api) -> None:
    assert len(api.get(f"{PATH}?limit=1", "2.32")["hypervisors"]) == 3
    api.get(f"{PATH}?marker=77", "2.33", status=400)
    api.get(f"{PATH}?marker=x", "2.33", status=400)


def test_patterns_from_2_53(api: Api) -> None:
    assert names(api.get(f"{PATH}?hypervisor_hostname_pattern=amm", "2.53")) == ["gamma"]
    api.get(f"{PATH}?hypervisor_hostname_pattern=none", "2.53", status=404)
    api.get(f"{PATH}?hypervisor_hostname_pattern=a&limit=1", "2.53", status=400)
    assert len(api.get(f"{PATH}?hypervisor_hostname_pattern=amm", "2.52")["hypervisors"]) == 3


def test_search_and_servers_until_2_52(api: Api) -> None:
    uuid = add_server(api.compute.store, "beta")
    assert names(api.get(f"{PATH}/eta/search")) == ["beta"]
    (node,) = api.get(f"{PATH}/eta/servers")["hypervisors"]
    assert node["servers"] == [{"uuid": uuid, "name": "instance-00000001"}]
    api.get(f"{PATH}/none/search", status=404)
    api.get(f"{PATH}/none/servers", status=404)
    api.get(f"{PATH}/eta/search", "2.53", status=404)


def test_empty_lists_of_servers_show_from_2_75(api: Api) -> None:
    path = f"{PATH}/{ident(api, 'beta')}?with_servers=true"
    assert "servers" not in api.get(path, "2.74")["hypervisor"]
    assert api.get(path, "2.75")["hypervisor"]["servers"] == []
    api.get(f"{PATH}?with_servers=maybe", "2.53", status=400)


def test_unknown_ids(api: Api) -> None:
    api.get(f"{PATH}/77", status=404)
    api.get(f"{PATH}/x", status=404)
    api.get(f"{PATH}/77", "2.53", status=400)
    api.get(f"{PATH}/00000000-0000-0000-0000-00000000000f", "2.53", status=404)


def test_uptime(api: Api) -> None:
    add_host(api.compute.store, "delta", uptime=None)
    assert "up 93 days" in api.get(f"{PATH}/{ident(api, 'beta')}/uptime", "2.87")["hypervisor"]["uptime"]
    api.get(f"{PATH}/{ident(api, 'delta')}/uptime", "2.87", status=501)
    api.get(f"{PATH}/{ident(api, 'beta')}/uptime", "2.88", status=404)
    beta = ident(api, "beta")
    api.compute.clock.sleep(61)
    api.get(f"{PATH}/{beta}/uptime", "2.87", status=400)
    assert api.get(f"{PATH}/{beta}", "2.88")["hypervisor"]["uptime"] is None


def test_only_admins(api: Api) -> None:
    member = api.member()
    for path in ("", "/detail", "/statistics", "/1", "/1/uptime", "/a/search", "/a/servers"):
        member.get(PATH + path, status=403)


def test_lists_take_two_statements_and_three_with_servers(api: Api) -> None:
    for host in ("alpha", "beta"):
        add_server(api.compute.store, host)
    statements = api.compute.store.working[0].database.statements
    for path, count in (("", 1), ("/detail", 2), ("/detail?with_servers=true", 3)):
        with statements.watch() as seen:
            api.get(PATH + path, "2.87")
        assert len(seen) == count, path
