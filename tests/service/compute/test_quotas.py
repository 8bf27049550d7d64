"""Quota sets, quota classes and limits: three views of the same numbers."""

from typing import Any

import pytest
from tests.service.compute.harness import PROJECT, Api, add_server

from kilonova.domain.quota import QuotaOptions

QUOTA = f"/os-quota-sets/{PROJECT}"


def quota(api: Api, path: str = QUOTA) -> dict[str, Any]:
    found: dict[str, Any] = api.get(path)["quota_set"]
    return found


def test_limits_come_from_user_project_class_and_options_in_this_order(api: Api) -> None:
    assert quota(api)["cores"] == 20
    api.put("/os-quota-class-sets/default", {"quota_class_set": {"cores": 30}})
    assert quota(api)["cores"] == quota(api, f"{QUOTA}/defaults")["cores"] == 30
    api.put(QUOTA, {"quota_set": {"cores": 40}})
    assert quota(api)["cores"] == quota(api, f"{QUOTA}?user_id=u")["cores"] == 40
    api.put(f"{QUOTA}?user_id=u", {"quota_set": {"cores": 35}})
    assert quota(api, f"{QUOTA}?user_id=u")["cores"] == 35
    assert (quota(api)["cores"], quota(api, f"{QUOTA}/defaults")["cores"]) == (40, 30)


def test_deleting_reverts_a_user_then_the_project(api: Api) -> None:
    api.put(QUOTA, {"quota_set": {"cores": 40}})
    api.put(f"{QUOTA}?user_id=u", {"quota_set": {"cores": 35}})
    api.delete(f"{QUOTA}?user_id=u", status=202)
    assert quota(api, f"{QUOTA}?user_id=u")["cores"] == 40
    api.put(f"{QUOTA}?user_id=u", {"quota_set": {"cores": 35}})
    api.delete(QUOTA, status=202)
    assert quota(api, f"{QUOTA}?user_id=u")["cores"] == 20


def test_detail_counts_usage_of_project_and_user(api: Api) -> None:
    add_server(api.compute.store, "h")
    api.post("/os-server-groups", {"server_group": {"name": "g", "policies": ["affinity"]}})
    found = quota(api, f"{QUOTA}/detail")
    assert found["cores"] == {"limit": 20, "in_use": 2, "reserved": 0}
    assert [found[name]["in_use"] for name in ("instances", "ram", "server_groups", "key_pairs")] == [1, 512, 1, 0]
    assert quota(api, f"{QUOTA}/detail?user_id=member")["cores"]["in_use"] == 2
    assert quota(api, f"{QUOTA}/detail?user_id=someone")["cores"]["in_use"] == 0


def test_limits_below_usage_need_force(api: Api) -> None:
    add_server(api.compute.store, "h")
    refused = api.put(QUOTA, {"quota_set": {"cores": 1}}, status=400)["badRequest"]["message"]
    assert "cores" in refused
    api.put(QUOTA, {"quota_set": {"cores": 1, "force": "true"}})
    api.put(QUOTA, {"quota_set": {"cores": -1}})
    assert quota(api)["cores"] == -1


def test_a_users_limit_stays_below_the_projects(api: Api) -> None:
    api.put(f"{QUOTA}?user_id=u", {"quota_set": {"cores": 21}}, status=400)
    api.put(f"{QUOTA}?user_id=u", {"quota_set": {"cores": 20}})


@pytest.mark.parametrize(
    "given",
    [
        {"cores": -2},
        {"cores": "x"},
        {"cores": 1 << 31},
        {"cores": str(1 << 31)},
        {"unknown": 1},
        {},
        {"force": "maybe"},
    ],
)
def test_bad_input_is_400_and_changes_nothing(api: Api, given: dict[str, Any]) -> None:
    api.put(QUOTA, {"quota_set": {"ram": 1, **given} if given else {}}, status=400)
    assert quota(api)["ram"] == 51200


@pytest.mark.parametrize(
    ("name", "last"), [("floating_ips", "2.35"), ("security_groups", "2.35"), ("injected_files", "2.56")]
)
def test_retired_resources_are_refused_after_their_version(api: Api, name: str, last: str) -> None:
    after = f"2.{int(last[2:]) + 1}"
    api.put(QUOTA, {"quota_set": {name: 7}}, last)
    api.put(QUOTA, {"quota_set": {name: 8}}, after, status=400)
    assert api.get(QUOTA, last)["quota_set"][name] == 7
    assert name not in api.get(QUOTA, after)["quota_set"]


def test_who_may(api: Api) -> None:
    member = api.member()
    member.get(QUOTA)
    member.get(f"{QUOTA}/detail")
    member.get("/os-quota-sets/other/defaults")
    member.get("/os-quota-sets/other", status=403)
    member.put(QUOTA, {"quota_set": {"cores": 1}}, status=403)
    member.delete(QUOTA, status=403)
    member.get("/os-quota-class-sets/default", status=403)
    member.put("/os-quota-class-sets/default", {"quota_class_set": {"cores": 1}}, status=403)


def test_classes_show_server_groups_from_2_50_on(api: Api) -> None:
    """They may be set before."""
    body = {"quota_class_set": {"server_groups": 3, "floating_ips": 4}}
    before = api.put("/os-quota-class-sets/default", body, "2.49")["quota_class_set"]
    assert before["floating_ips"] == 4
    assert "server_groups" not in before
    assert api.get("/os-quota-class-sets/default", "2.50")["quota_class_set"]["server_groups"] == 3
    api.put("/os-quota-class-sets/default", body, "2.50", status=400)
    api.put("/os-quota-class-sets/default", {"quota_class_set": {}}, status=400)


def test_driver_without_quotas(api: Api) -> None:
    object.__setattr__(api.compute, "quota", QuotaOptions(driver="nova.quota.NoopQuotaDriver"))
    api.put(QUOTA, {"quota_set": {"cores": 5}})
    assert quota(api)["cores"] == -1
    assert quota(api, f"{QUOTA}/detail")["cores"] == {"limit": -1, "in_use": -1, "reserved": -1}


def test_limits_show_usage_and_overrides(api: Api) -> None:
    add_server(api.compute.store, "h")
    api.put(QUOTA, {"quota_set": {"instances": 7}})
    found = api.member().get("/limits")["limits"]
    assert found["rate"] == []
    assert (found["absolute"]["maxTotalInstances"], found["absolute"]["totalInstancesUsed"]) == (7, 1)
    assert (found["absolute"]["totalCoresUsed"], found["absolute"]["totalRAMUsed"]) == (2, 512)


def test_limits_of_other_projects_are_for_admins(api: Api) -> None:
    api.put("/os-quota-sets/other", {"quota_set": {"instances": 7}})
    assert api.get("/limits?tenant_id=other")["limits"]["absolute"]["maxTotalInstances"] == 7
    api.member().get("/limits?tenant_id=other", status=403)
    api.member().get(f"/limits?tenant_id={PROJECT}&reserved=1", "2.104")
    api.get("/limits?unknown=1", "2.75", status=400)
