"""What a process keeps of providers, and how it picks trees, must not show: the answers are those of a fresh process,
and those of the search over every tree there is.
"""

import random
from collections.abc import Callable, Iterator
from typing import Any

import falcon.testing
import pytest

from kilonova.kit.auth import NoAuth
from kilonova.kit.options import from_mapping
from kilonova.placement.api.app import build
from kilonova.placement.domain.candidates import candidates, distinct
from kilonova.placement.domain.inventory import Stock
from kilonova.placement.domain.query import parse_demand
from kilonova.placement.domain.topology import Provider, Tree, grow

SHARES = "MISC_SHARES_VIA_AGGREGATE"
TRAITS = ("HW_CPU_X86_AVX2", "STORAGE_DISK_SSD")
CLASSES = ("VCPU", "MEMORY_MB", "DISK_GB")


def fresh(api: Any) -> Any:
    """The same database, seen by a process that has kept nothing."""
    return type(api)(
        falcon.testing.TestClient(build(api.database, from_mapping({}), NoAuth())), api.database, api.names
    )


def rename_custom(api: Any) -> None:
    api.ok("PUT", "/resource_classes/CUSTOM_OLD", {"name": "CUSTOM_NEW"}, version="1.6")


def set_traits(api: Any, name: str, *traits: str) -> None:
    body = {"resource_provider_generation": api.generation(name), "traits": list(traits)}
    api.ok("PUT", f"/resource_providers/{api.uid(name)}/traits", body)


def change_inventory(api: Any) -> None:
    body = {"resource_provider_generation": api.generation("b"), "total": 3}
    api.ok("PUT", f"/resource_providers/{api.uid('b')}/inventories/VCPU", body)


def hang_below(api: Any, child: str, parent: str) -> None:
    body = {"name": child, "parent_provider_uuid": api.uid(parent)}
    api.ok("PUT", f"/resource_providers/{api.uid(child)}", body)


CHANGES: dict[str, Callable[[Any], object]] = {
    "a claim": lambda api: api.claim("server", {"a": {"VCPU": 5}}),
    "its end": lambda api: api.ok("DELETE", f"/allocations/{api.uid('server')}"),
    "inventory": change_inventory,
    "traits": lambda api: set_traits(api, "a", TRAITS[0]),
    "aggregates by 1.1": lambda api: api.ok(
        "PUT", f"/resource_providers/{api.uid('a')}/aggregates", [api.uid("zone")], version="1.1"
    ),
    "sharing": lambda api: set_traits(api, "disk", SHARES),
    "a child": lambda api: api.provider("a-child", {"VCPU": 9}, parent="a"),
    "another parent": lambda api: hang_below(api, "b", "c"),
    "another name": rename_custom,
    "deletion": lambda api: api.ok("DELETE", f"/resource_providers/{api.uid('b')}"),
}
QUERIES = (
    "resources=VCPU:4",
    "resources=VCPU:1,MEMORY_MB:1&limit=2",
    f"resources=VCPU:1&required={TRAITS[0]}",
    f"resources=VCPU:1&required=!{TRAITS[0]}",
    "resources=VCPU:1&member_of={zone}",
    "resources=VCPU:1,DISK_GB:1",
    "resources1=VCPU:1&resources2=VCPU:1&group_policy=isolate",
)


def test_answers_are_those_of_a_fresh_process(api: Any) -> None:
    for name in ("a", "b", "c"):
        api.provider(name, {"VCPU": 8, "MEMORY_MB": 64, "CUSTOM_OLD": 1})
    api.provider("disk", {"DISK_GB": 100}, aggregates=("zone",))
    seen = set()
    for change in CHANGES.values():
        change(api)
        other = fresh(api)
        for query in QUERIES:
            path = f"/allocation_candidates?{query.format(zone=api.uid('zone'))}"
            answer = api.ok("GET", path)
            assert answer == other.ok("GET", path), query
            seen.add(str(answer))
    assert len(seen) > len(CHANGES)


class Dice:
    """A random cloud, made through the API and, for the reference, as the search's own trees."""

    def __init__(self, api: Any, seed: int) -> None:
        self.api = api
        self.rng = random.Random(seed)
        self.providers: list[Provider] = []
        self.uuids: dict[str, int] = {}

    def cloud(self) -> None:
        for n in range(self.rng.randint(3, 7)):
            parent = self.rng.choice([None, None, *self.providers])
            name = f"p{n}"
            stocks = {c: self.rng.randint(1, 4) for c in CLASSES if self.rng.random() < 0.7}
            traits = tuple(t for t in (*TRAITS, SHARES) if self.rng.random() < 0.3)
            zones = tuple(z for z in ("z1", "z2") if self.rng.random() < 0.4)
            above = None if parent is None else f"p{parent.id}"
            self.api.provider(name, stocks, parent=above, traits=traits, aggregates=zones)
            provider = Provider(
                id=n,
                parent_id=None if parent is None else parent.id,
                root_id=n if parent is None else parent.root_id,
                stocks={c: Stock(total, 0) for c, total in stocks.items()},
                traits=frozenset(traits),
                aggregates=frozenset(self.api.uid(z) for z in zones),
            )
            self.providers.append(provider)
            self.uuids[self.api.uid(name)] = n

    def query(self) -> dict[str, list[str]]:
        suffixes = self.rng.choice([("",), ("",), ("1",), ("", "1"), ("1", "2")])
        found: dict[str, list[str]] = {"group_policy": ["none"]} if len(suffixes) > 1 else {}
        for suffix in suffixes:
            classes = self.rng.sample(CLASSES, self.rng.randint(1, 3))
            found[f"resources{suffix}"] = [",".join(f"{c}:{self.rng.randint(1, 3)}" for c in classes)]
            if self.rng.random() < 0.4:
                found[f"required{suffix}"] = [self.rng.choice(("", "!")) + self.rng.choice(TRAITS)]
            if self.rng.random() < 0.3:
                found[f"member_of{suffix}"] = [self.rng.choice(("", "!")) + self.api.uid("z1")]
        if self.rng.random() < 0.2:
            found["root_required"] = [self.rng.choice(("", "!")) + TRAITS[0]]
        return found

    def trees(self) -> Iterator[Tree]:
        for tree in grow(self.providers):
            own = frozenset().union(*(p.aggregates for p in tree.providers))
            sharing = (p for p in self.providers if SHARES in p.traits and p.id not in tree.by_id)
            tree.shared = tuple(p for p in sharing if p.aggregates & own)
            yield tree


@pytest.mark.parametrize("seed", range(5))
def test_no_tree_is_missed(api: Any, seed: int) -> None:
    dice = Dice(api, seed)
    dice.cloud()
    ways_found = 0
    for _ in range(25):
        query = dice.query()
        text = "&".join(f"{key}={value}" for key, values in query.items() for value in values)
        answer = api.ok("GET", f"/allocation_candidates?{text}")
        got = [
            frozenset(
                (dice.uuids[u], c, n) for u, one in way["allocations"].items() for c, n in one["resources"].items()
            )
            for way in answer["allocation_requests"]
        ]
        demand = parse_demand(query, 39)
        ways = distinct(candidates(demand, dice.trees()), demand)
        want = [frozenset((p, c, n) for p, r in way.allocations.items() for c, n in r.items()) for way in ways]
        assert sorted(map(sorted, got)) == sorted(map(sorted, want)), text
        ways_found += len(got)
    assert ways_found
