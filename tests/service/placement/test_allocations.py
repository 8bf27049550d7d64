"""Claims: forms by version, consumer generations, limits, all or nothing."""

from typing import Any

import pytest


@pytest.fixture
def hosts(api: Any) -> Any:
    api.provider("cn1", {"VCPU": {"total": 8, "reserved": 2, "allocation_ratio": 1.5, "max_unit": 8}, "MEMORY_MB": 100})
    api.provider("cn2", {"VCPU": {"total": 10, "min_unit": 2, "step_size": 2}})
    return api


def path(api: Any, consumer: str = "server") -> str:
    return f"/allocations/{api.uid(consumer)}"


def test_claim_show_change_release(hosts: Any) -> None:
    assert hosts.claim("server", {"cn1": {"VCPU": 2, "MEMORY_MB": 10}, "cn2": {"VCPU": 4}}).status_code == 204
    assert hosts.ok("GET", path(hosts)) == {
        "allocations": {
            hosts.uid("cn1"): {"generation": 2, "resources": {"VCPU": 2, "MEMORY_MB": 10}},
            hosts.uid("cn2"): {"generation": 2, "resources": {"VCPU": 4}},
        },
        "project_id": "project",
        "user_id": "user",
        "consumer_generation": 1,
        "consumer_type": "INSTANCE",
    }
    assert hosts.claim("server", {"cn1": {"VCPU": 8}}, 1).status_code == 204
    assert (hosts.used("cn1"), hosts.used("cn2")) == ({"VCPU": 8, "MEMORY_MB": 0}, {"VCPU": 0})
    of_cn1 = hosts.ok("GET", f"/resource_providers/{hosts.uid('cn1')}/allocations")
    assert of_cn1["allocations"] == {hosts.uid("server"): {"resources": {"VCPU": 8}, "consumer_generation": 2}}
    assert hosts.call("DELETE", path(hosts)).status_code == 204
    assert hosts.ok("GET", path(hosts)) == {"allocations": {}}
    assert hosts.used("cn1") == {"VCPU": 0, "MEMORY_MB": 0}
    hosts.refused(404, hosts.uid("server"), "DELETE", path(hosts))


REFUSED = [
    ({"cn1": {"VCPU": 10}}, 409, "max_unit"),
    ({"cn2": {"VCPU": 1}}, 409, "min_unit"),
    ({"cn2": {"VCPU": 3}}, 409, "step_size"),
    ({"cn2": {"VCPU": 12}}, 409, "capacity"),
    ({"cn2": {"DISK_GB": 1}}, 409, "DISK_GB"),
    ({"cn2": {"CUSTOM_NONE": 1}}, 400, "CUSTOM_NONE"),
    ({"nobody": {"VCPU": 1}}, 400, "does not exist"),
    ({"cn1": {"VCPU": 1}, "nobody": {"VCPU": 1}}, 400, "does not exist"),
    ({"cn1": {"VCPU": 1}, "cn2": {"VCPU": 12}}, 409, "capacity"),
]


@pytest.mark.parametrize(("holds", "status", "words"), REFUSED)
def test_refused_claims_leave_nothing(hosts: Any, holds: Any, status: int, words: str) -> None:
    hosts.refused(status, words, "PUT", path(hosts), hosts.claim_body(holds))
    assert hosts.ok("GET", path(hosts)) == {"allocations": {}}
    assert hosts.used("cn1")["VCPU"] == 0
    assert hosts.generation("cn1") == 1


def test_capacity_counts_everyone(hosts: Any) -> None:
    assert hosts.claim("first", {"cn1": {"VCPU": 8}}).status_code == 204
    assert hosts.claim("second", {"cn1": {"VCPU": 2}}).status_code == 409
    assert hosts.claim("second", {"cn1": {"VCPU": 1}}).status_code == 204  # 9 = (8 - 2) * 1.5


GENERATIONS = [(None, 409), (0, 409), (2, 409), (1, 204)]


@pytest.mark.parametrize(("generation", "status"), GENERATIONS)
def test_consumer_generation(hosts: Any, generation: int | None, status: int) -> None:
    hosts.claim("server", {"cn1": {"VCPU": 1}})
    reply = hosts.claim("server", {"cn1": {"VCPU": 2}}, generation)
    assert reply.status_code == status
    if status == 409:
        assert reply.json["errors"][0]["code"] == "placement.concurrent_update"
    assert hosts.used("cn1")["VCPU"] == (2 if status == 204 else 1)


def test_a_generation_needs_a_consumer(hosts: Any) -> None:
    assert hosts.claim("server", {"cn1": {"VCPU": 1}}, 1).status_code == 409


def test_empty_claim_releases_from_1_28(hosts: Any) -> None:
    hosts.claim("server", {"cn1": {"VCPU": 1}})
    assert hosts.claim("server", {}, 1).status_code == 204
    assert hosts.ok("GET", path(hosts)) == {"allocations": {}}
    assert hosts.claim("server", {"cn1": {"VCPU": 1}}).status_code == 204  # new again
    assert hosts.claim("never", {}).status_code == 204
    body = {"allocations": {}, "project_id": "p", "user_id": "u"}
    hosts.refused(400, "allocations", "PUT", path(hosts), body, version="1.27")


def forms(api: Any) -> dict[str, Any]:
    old = [{"resource_provider": {"uuid": api.uid("cn1")}, "resources": {"VCPU": 1}}]
    new = {api.uid("cn1"): {"resources": {"VCPU": 1}}}
    owner = {"project_id": "p", "user_id": "u"}
    return {
        "list": {"allocations": old},
        "list+owner": {"allocations": old, **owner},
        "dict+owner": {"allocations": new, **owner},
        "+generation": {"allocations": new, **owner, "consumer_generation": None},
        "+mappings": {"allocations": new, **owner, "consumer_generation": None, "mappings": {"": [api.uid("cn1")]}},
        "+type": {"allocations": new, **owner, "consumer_generation": None, "consumer_type": "INSTANCE"},
    }


FORMS = [
    ("1.0", "list"),
    ("1.7", "list"),
    ("1.8", "list+owner"),
    ("1.11", "list+owner"),
    ("1.12", "dict+owner"),
    ("1.27", "dict+owner"),
    ("1.28", "+generation"),
    ("1.33", "+generation"),
    ("1.34", "+generation +mappings"),
    ("1.37", "+generation +mappings"),
    ("1.38", "+type"),
    ("1.39", "+type"),
]


@pytest.mark.parametrize(("version", "accepted"), FORMS)
def test_forms_by_version(hosts: Any, version: str, accepted: str) -> None:
    for name, body in forms(hosts).items():
        reply = hosts.call("PUT", path(hosts, f"server {name}"), body, version=version)
        assert reply.status_code == (204 if name in accepted.split() else 400), (name, reply.text)


SHOWN = [
    ("1.11", {"allocations"}),
    ("1.12", {"allocations", "project_id", "user_id"}),
    ("1.28", {"allocations", "project_id", "user_id", "consumer_generation"}),
    ("1.38", {"allocations", "project_id", "user_id", "consumer_generation", "consumer_type"}),
]


@pytest.mark.parametrize(("version", "keys"), SHOWN)
def test_shown_by_version(hosts: Any, version: str, keys: set[str]) -> None:
    hosts.call("PUT", path(hosts), forms(hosts)["list"], version="1.0")
    shown = hosts.ok("GET", path(hosts), version=version)
    assert set(shown) == keys
    assert shown.get("project_id", "0000").startswith("0000")
    assert shown.get("consumer_type", "unknown") == "unknown"


def test_owner_and_type_follow_the_claim(hosts: Any) -> None:
    hosts.claim("server", {"cn1": {"VCPU": 1}})
    body = {**hosts.claim_body({"cn1": {"VCPU": 1}}, 1), "project_id": "other", "consumer_type": "MIGRATION"}
    hosts.ok("PUT", path(hosts), body)
    shown = hosts.ok("GET", path(hosts))
    assert (shown["project_id"], shown["consumer_type"], shown["consumer_generation"]) == ("other", "MIGRATION", 2)


def test_move_between_consumers_at_once(hosts: Any) -> None:
    hosts.claim("server", {"cn1": {"VCPU": 8}})
    body = {
        hosts.uid("server"): hosts.claim_body({}, 1),
        hosts.uid("migration"): hosts.claim_body({"cn1": {"VCPU": 8}}),
    }
    assert hosts.call("POST", "/allocations", body).status_code == 204
    assert hosts.used("cn1")["VCPU"] == 8
    assert hosts.ok("GET", path(hosts)) == {"allocations": {}}


def test_all_or_nothing(hosts: Any) -> None:
    body = {
        hosts.uid("one"): hosts.claim_body({"cn1": {"VCPU": 8}}),
        hosts.uid("two"): hosts.claim_body({"cn1": {"VCPU": 8}}),
    }
    hosts.refused(409, "capacity", "POST", "/allocations", body)
    body[hosts.uid("two")] = hosts.claim_body({"cn2": {"VCPU": 2}}, 5)
    assert hosts.refused(409, "generation", "POST", "/allocations", body) == "placement.concurrent_update"
    assert hosts.used("cn1")["VCPU"] == 0
    hosts.refused(400, "body", "POST", "/allocations", {})


BAD = [
    ({"allocations": []}, "allocations"),
    ({"allocations": {"x": {"resources": {"VCPU": 1}}}}, "allocations"),
    ({"allocations": {"cn1": {"resources": {}}}}, "resources"),
    ({"allocations": {"cn1": {"resources": {"VCPU": 0}}}}, "VCPU"),
    ({"allocations": {"cn1": {"resources": {"VCPU": 1.5}}}}, "VCPU"),
    ({"allocations": {"cn1": {"resources": {"VCPU": 10**20}}}}, "VCPU"),
    ({"allocations": {"cn1": {"resources": {"vcpu": 1}}}}, "vcpu"),
    ({"project_id": ""}, "project_id"),
    ({"project_id": "x" * 256}, "project_id"),
    ({"consumer_generation": "1"}, "consumer_generation"),
    ({"consumer_type": "lower"}, "consumer_type"),
    ({"colour": "red"}, "colour"),
]


@pytest.mark.parametrize(("change", "words"), BAD)
def test_bad_bodies(hosts: Any, change: dict[str, Any], words: str) -> None:
    body = {**hosts.claim_body({"cn1": {"VCPU": 1}}), **change}
    if isinstance(body["allocations"], dict):
        body["allocations"] = {hosts.uid("cn1") if k == "cn1" else k: v for k, v in body["allocations"].items()}
    hosts.refused(400, words, "PUT", path(hosts), body)


def test_bad_consumer(hosts: Any) -> None:
    hosts.refused(400, "consumer_uuid", "PUT", "/allocations/x", hosts.claim_body({"cn1": {"VCPU": 1}}))
    assert hosts.ok("GET", "/allocations/x") == {"allocations": {}}
    body = {"x": hosts.claim_body({"cn1": {"VCPU": 1}})}
    hosts.refused(400, "x", "POST", "/allocations", body)


class TestUsages:
    @pytest.fixture
    def used(self, hosts: Any) -> Any:
        hosts.claim("one", {"cn1": {"VCPU": 1, "MEMORY_MB": 5}})
        hosts.claim("two", {"cn1": {"VCPU": 2}})
        moving = {**hosts.claim_body({"cn2": {"VCPU": 4}}), "consumer_type": "MIGRATION", "user_id": "other"}
        hosts.ok("PUT", path(hosts, "three"), moving)
        old = {
            "allocations": hosts.claim_body({"cn1": {"VCPU": 1}})["allocations"],
            "project_id": "project",
            "user_id": "user",
        }
        hosts.ok("PUT", path(hosts, "four"), old, version="1.12")
        return hosts

    INSTANCE = {"VCPU": 3, "MEMORY_MB": 5, "consumer_count": 2}
    MIGRATION = {"VCPU": 4, "consumer_count": 1}
    UNKNOWN = {"VCPU": 1, "consumer_count": 1}
    CASES = [
        ("1.37", "project_id=project", {"VCPU": 8, "MEMORY_MB": 5}),
        ("1.37", "project_id=project&user_id=other", {"VCPU": 4}),
        ("1.37", "project_id=nobody", {}),
        ("1.38", "project_id=project", {"INSTANCE": INSTANCE, "MIGRATION": MIGRATION, "unknown": UNKNOWN}),
        ("1.38", "project_id=project&consumer_type=MIGRATION", {"MIGRATION": MIGRATION}),
        ("1.38", "project_id=project&consumer_type=unknown", {"unknown": UNKNOWN}),
        ("1.38", "project_id=project&consumer_type=all", {"all": {"VCPU": 8, "MEMORY_MB": 5, "consumer_count": 4}}),
        ("1.38", "project_id=project&consumer_type=NONE", {}),
    ]

    @pytest.mark.parametrize(("version", "query", "expected"), CASES)
    def test_totals(self, used: Any, version: str, query: str, expected: Any) -> None:
        assert used.ok("GET", f"/usages?{query}", version=version) == {"usages": expected}

    @pytest.mark.parametrize(
        ("version", "query", "words"),
        [
            ("1.39", "", "project_id"),
            ("1.39", "project_id=", "project_id"),
            ("1.39", "project_id=p&user_id=", "user_id"),
            ("1.39", "project_id=p&consumer_type=lower", "consumer_type"),
            ("1.37", "project_id=p&consumer_type=INSTANCE", "consumer_type"),
            ("1.39", "project_id=p&project_id=q", "project_id"),
            ("1.39", "project_id=p&colour=red", "colour"),
        ],
    )
    def test_bad_queries(self, api: Any, version: str, query: str, words: str) -> None:
        api.refused(400, words, "GET", f"/usages?{query}", version=version)


class TestReshaper:
    def shape(self, api: Any, **providers: dict[str, int]) -> dict[str, Any]:
        return {
            api.uid(name): {
                "resource_provider_generation": api.generation(name),
                "inventories": {c: {"total": n} for c, n in inventory.items()},
            }
            for name, inventory in providers.items()
        }

    @pytest.fixture
    def tree(self, api: Any) -> Any:
        api.provider("root", {"VGPU": 4, "VCPU": 8})
        api.provider("gpu", parent="root")
        api.claim("server", {"root": {"VGPU": 3, "VCPU": 1}})
        return api

    def test_moves_inventory_and_what_is_held(self, tree: Any) -> None:
        body = {
            "inventories": self.shape(tree, root={"VCPU": 8}, gpu={"VGPU": 4}),
            "allocations": {tree.uid("server"): tree.claim_body({"root": {"VCPU": 1}, "gpu": {"VGPU": 3}}, 1)},
        }
        assert tree.call("POST", "/reshaper", body, roles="service").status_code == 204
        assert (tree.used("root"), tree.used("gpu")) == ({"VCPU": 1}, {"VGPU": 3})

    @pytest.mark.parametrize(
        ("problem", "status", "words"),
        [
            ("left behind", 409, "in use"),
            ("too small", 409, "capacity"),
            ("stale provider", 409, "resource provider generation"),
            ("stale consumer", 409, "consumer generation"),
            ("unknown provider", 400, "does not exist"),
            ("no generation", 400, "resource_provider_generation"),
        ],
    )
    def test_refused_as_a_whole(self, tree: Any, problem: str, status: int, words: str) -> None:
        shapes = self.shape(tree, root={"VCPU": 8}, gpu={"VGPU": 2 if problem == "too small" else 4})
        holds = {"root": {"VCPU": 1}, "gpu": {"VGPU": 3}}
        claims = {tree.uid("server"): tree.claim_body(holds, 7 if problem == "stale consumer" else 1)}
        if problem == "left behind":
            claims = {}
        if problem == "stale provider":
            shapes[tree.uid("gpu")]["resource_provider_generation"] += 1
        if problem == "unknown provider":
            shapes[tree.uid("nobody")] = {"resource_provider_generation": 0, "inventories": {}}
        if problem == "no generation":
            del shapes[tree.uid("gpu")]["resource_provider_generation"]
        before = tree.generation("root")
        body = {"inventories": shapes, "allocations": claims}
        tree.refused(status, words, "POST", "/reshaper", body, roles="service")
        assert (tree.used("root"), tree.used("gpu")) == ({"VCPU": 1, "VGPU": 3}, {})
        assert tree.generation("root") == before
