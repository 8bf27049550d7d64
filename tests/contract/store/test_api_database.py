"""Flavors, key pairs, aggregates, groups and limits."""

import random
from typing import Any

import pytest
from sqlalchemy.engine import Connection
from tests.contract.store.conftest import Databases
from tests.contract.store.samples import LATER, NOW

from kilonova.domain.aggregate import AggregateHostExists, AggregateHostNotFound, AggregateNameExists, AggregateNotFound
from kilonova.domain.flavor import (
    ExtraSpecNotFound,
    FlavorAccessExists,
    FlavorAccessNotFound,
    FlavorExists,
    FlavorMarkerNotFound,
    FlavorNotFound,
)
from kilonova.domain.keypair import KeypairExists, KeypairMarkerNotFound, KeypairNotFound
from kilonova.kit.db.rows import Row
from kilonova.store import (
    aggregates,
    cells,
    flavors,
    host_mappings,
    hosts,
    keypairs,
    quotas,
    server_groups,
    server_mappings,
)
from kilonova.store.flavors import SORT_KEYS, FlavorQuery


def flavor(connection: Connection, ident: str, **more: object) -> None:
    sizes = {"vcpus": 1, "memory_mb": 2, "root_gb": 3, "ephemeral_gb": 0, "swap_mb": 0, "rxtx_factor": 1.0}
    rest = {"is_public": True, "disabled": False, "description": None, "created_at": NOW}
    flavors.create(connection, {"flavor_id": ident, "name": f"name {ident}", **sizes, **rest, **more})


def test_flavors(databases: Databases) -> None:
    with databases.api.write() as connection:
        flavor(connection, "a", name="Tiny")
        flavor(connection, "A", name="tiny")
        with pytest.raises(FlavorExists, match="tiny"):
            flavor(connection, "b", name="tiny")
        with pytest.raises(FlavorExists, match="A"):
            flavor(connection, "A")
        described = flavors.describe(connection, "a", "𝄞" * 20_000, LATER)
        assert (described["description"], described["updated_at"]) == ("𝄞" * 20_000, LATER)
        assert flavors.describe(connection, "a", "𝄞" * 20_000, LATER) == described
        assert flavors.merge_extra_specs(connection, "a", {"k": "v", "K": "𝄞"}, LATER) == {"k": "v", "K": "𝄞"}
        flavors.drop_extra_spec(connection, "a", "k", LATER)
        assert flavors.find(connection, "a", project_id=None)["extra_specs"] == '{"K":"𝄞"}'
        with pytest.raises(ExtraSpecNotFound, match="k"):
            flavors.drop_extra_spec(connection, "a", "k", LATER)
        flavors.delete(connection, "a")
        for call in (flavors.delete, lambda c, i: flavors.describe(c, i, None, NOW)):
            with pytest.raises(FlavorNotFound, match="a"):
                call(connection, "a")


def test_private_flavors(databases: Databases) -> None:
    with databases.api.write() as connection:
        flavor(connection, "f", is_public=False)
        found = flavors.find(connection, "f", project_id=None, see_all=True)
        flavors.allow(connection, found, "q")
        flavors.allow(connection, found, "p")
        with pytest.raises(FlavorAccessExists):
            flavors.allow(connection, found, "p")
        assert flavors.projects(connection, found["id"]) == ["p", "q"]
        assert flavors.find(connection, "f", project_id="p") == found
        with pytest.raises(FlavorNotFound):
            flavors.find(connection, "f", project_id="P")
        flavors.disallow(connection, found, "p")
        with pytest.raises(FlavorAccessNotFound):
            flavors.disallow(connection, found, "p")
        flavors.delete(connection, "f")


@pytest.mark.parametrize("key", sorted(SORT_KEYS))
def test_flavors_page_alike(databases: Databases, key: str) -> None:
    descriptions = ["b", None, "B", "ä", None]
    with databases.api.write() as connection:
        for number, text in enumerate(descriptions):
            amounts = {"vcpus": number % 2, "root_gb": 9 - number, "rxtx_factor": number / 3}
            more = {"description": text, "disabled": number > 2, "updated_at": text and NOW}
            flavor(connection, "bAa1é"[number], **more, **amounts)
    column = SORT_KEYS[key]
    missing: Any = "" if column.type.python_type is str else -1
    for direction in ("asc", "desc"):
        with databases.api.read() as connection:
            whole = flavors.page(connection, FlavorQuery(limit=9, sort=((key, direction),)))
            assert paged(connection, key, direction) == whole
        in_order = sorted(whole, key=lambda f: (missing if f[column.name] is None else f[column.name], f["id"]))
        assert whole == (in_order if direction == "asc" else in_order[::-1])
        assert len(whole) == 5


def paged(connection: Connection, key: str, direction: str) -> list[Row]:
    """All flavors, one at a time."""
    found: list[Row] = []
    for _ in range(9):
        marker = found[-1]["flavor_id"] if found else None
        found += flavors.page(connection, FlavorQuery(limit=1, sort=((key, direction),), marker=marker))
    return found


def test_flavor_filters(databases: Databases) -> None:
    with databases.api.write() as connection:
        flavor(connection, "a", memory_mb=10, root_gb=1)
        flavor(connection, "b%", memory_mb=20, root_gb=9, is_public=False, disabled=True)

        def ids(**wanted: object) -> list[str]:
            found = flavors.page(connection, FlavorQuery(limit=9, **wanted))  # type: ignore[arg-type]  # as named
            return [row["flavor_id"] for row in found]

        assert [ids(), ids(public=False), ids(public=None)] == [["a"], ["b%"], ["a", "b%"]]
        assert [ids(public=None, min_ram=11), ids(public=None, min_disk=2), ids(public=None, disabled=True)] == [
            ["b%"]
        ] * 3
        assert [ids(public=None, name="%"), ids(public=None, name="A"), ids(public=None, name="name a")] == [
            ["b%"],
            [],
            ["a"],
        ]
        with pytest.raises(FlavorMarkerNotFound, match="A"):
            ids(marker="A")


def test_key_pairs(databases: Databases) -> None:
    with databases.api.write() as connection:
        row = {"user_id": "u", "type": "ssh", "fingerprint": "f", "created_at": NOW}
        for name in ("b", "B", "ä", "a"):
            keypairs.create(connection, {**row, "name": name, "public_key": "k" * 16_000})
        with pytest.raises(KeypairExists, match="b"):
            keypairs.create(connection, {**row, "name": "b", "public_key": "k"})
        assert [k["name"] for k in keypairs.page(connection, "u")] == ["B", "a", "b", "ä"]
        assert [k["name"] for k in keypairs.page(connection, "u", limit=2, marker="B")] == ["a", "b"]
        assert keypairs.find(connection, "u", "B")["public_key"] == "k" * 16_000
        assert (keypairs.count(connection, "u"), keypairs.count(connection, "U")) == (4, 0)
        keypairs.delete(connection, "u", "B")
        for call in (keypairs.delete, keypairs.find):
            with pytest.raises(KeypairNotFound, match="B"):
                call(connection, "u", "B")
        with pytest.raises(KeypairMarkerNotFound, match="B"):
            keypairs.page(connection, "u", marker="B")


def test_aggregates(databases: Databases) -> None:
    cell_id = cells.write_mapping(databases.api, {"uuid": "c", "name": "one", "disabled": False})
    with databases.api.write() as connection:
        east = aggregates.create(connection, {"uuid": "1", "name": "East"}, {"availability_zone": "𝄞"})
        west = aggregates.create(connection, {"uuid": "2", "name": "east"}, {})
        with pytest.raises(AggregateNameExists, match="East"):
            aggregates.create(connection, {"uuid": "3", "name": "East"}, {})
        with pytest.raises(AggregateNameExists, match="East"):
            aggregates.update(connection, west["id"], {"name": "East"})
        aggregates.update(connection, west["id"], {"name": "west", "metadata": {"availability_zone": "w"}})
        for host in ("h", "H"):
            aggregates.add_host(connection, east["id"], host)
        with pytest.raises(AggregateHostExists, match="h"):
            aggregates.add_host(connection, east["id"], "h")
        assert aggregates.find(connection, east["id"], lock=True)["hosts"] == ["H", "h"]
        assert [a["hosts"] for a in aggregates.page(connection)] == [["H", "h"], []]
        assert aggregates.zones(connection) == {"h": "𝄞", "H": "𝄞"}
        assert aggregates.zones_elsewhere(connection, west["id"], ["h", "x"]) == {"h": "𝄞"}
        assert aggregates.zones_elsewhere(connection, east["id"], ["h"]) == {}
        listed = [(a["name"], a["host"]) for a in hosts.aggregates_with_hosts(connection)]
        assert sorted(listed, key=str) == [("East", "H"), ("East", "h"), ("west", None)]
        host_mappings.add(connection, cell_id, ["h"])
        aggregates.forget_host(connection, "h")
        assert host_mappings.all_hosts(connection) == {}
        with pytest.raises(AggregateHostNotFound, match="h"):
            aggregates.remove_host(connection, east["id"], "h")
        aggregates.remove_host(connection, east["id"], "H")
        aggregates.delete(connection, east["id"])
        with pytest.raises(AggregateNotFound):
            aggregates.find(connection, east["id"])


def test_groups(databases: Databases) -> None:
    cell_id = cells.write_mapping(databases.api, {"uuid": "c", "name": "one", "disabled": False})
    row = {"cell_id": cell_id, "project_id": "p", "user_id": "u", "cores": 1, "ram": 2, "created_at": NOW}
    with databases.api.write() as connection:
        for uuid in ("1", "2", "3"):
            mine = {"uuid": uuid, "project_id": "p", "user_id": f"u{uuid}", "name": "𝄞", "policy": "affinity"}
            server_groups.create(connection, {**mine, "rules": "{}", "created_at": NOW})
        found = server_groups.get(connection, "1")
        assert found is not None
        server_mappings.add(connection, [{**row, "uuid": "s"}, {**row, "uuid": "t"}])
        server_groups.add_members(connection, "1", ["s", "t"])
        server_mappings.release(connection, "t")
        assert sorted(server_groups.members(connection, "1")) == ["s", "t"]
        assert server_groups.living_members(connection, [found["id"], -1]) == {found["id"]: ["s"], -1: []}
        assert server_groups.living_members(connection, []) == {}
        assert server_groups.of_server(connection, "s") == ["1"]
        server_groups.remove_member(connection, "s")
        assert server_groups.members(connection, "1") == ["t"]
        assert [g["uuid"] for g in server_groups.page(connection, "p", offset=1, limit=1)] == ["2"]
        assert [g["uuid"] for g in server_groups.page(connection, None, offset=1)] == ["2", "3"]
        assert (server_groups.count(connection, "p"), server_groups.count(connection, "p", "u1")) == (3, 1)
        assert server_groups.delete(connection, "1")
        assert not server_groups.delete(connection, "1")
        assert server_groups.get(connection, "1") is None


def test_limits_and_usage(databases: Databases) -> None:
    options = {"cores": 1, "ram": 2}
    wanted = {"instances": 1, "cores": 2, "ram": 3}
    unlimited = server_mappings.Demand("p", "u", wanted, dict.fromkeys(wanted, 0), unlimited=True)
    refused = server_mappings.Demand("p", "u", wanted, dict.fromkeys(wanted, 1))
    with databases.api.write() as connection:
        quotas.set_class_limits(connection, "default", {"cores": 10})
        assert quotas.class_limits(connection, options) == {"cores": 10, "ram": 2}
        quotas.set_limits(connection, "p", {"cores": 20})
        quotas.set_limits(connection, "p", {"cores": 30}, "u")
        quotas.set_limits(connection, "p", {"cores": 30}, "u")
        assert quotas.limits(connection, "p", options) == {"cores": 20, "ram": 2}
        assert quotas.limits(connection, "p", options, "u") == {"cores": 30, "ram": 2}
        assert quotas.limits(connection, "P", options, "u") == {"cores": 10, "ram": 2}
        quotas.delete_limits(connection, "p", "u")
        assert quotas.limits(connection, "p", options, "u") == {"cores": 20, "ram": 2}
        quotas.delete_limits(connection, "p")
        assert quotas.limits(connection, "p", options) == {"cores": 10, "ram": 2}
        assert not server_mappings.reserve(connection, refused)
        assert server_mappings.reserve(connection, unlimited)
        assert server_mappings.usage(connection, "p") == wanted
        assert server_mappings.usage(connection, "P") == dict.fromkeys(wanted, 0)
        assert quotas.user_usage(connection, "p", "u") == dict.fromkeys(wanted, 0)


def test_usage_that_was_given_back_is_taken_again_once(databases: Databases) -> None:
    wanted = {"instances": 1, "cores": 2, "ram": 3}
    demand = server_mappings.Demand("p", "u", wanted, {"instances": 1, "cores": -1, "ram": -1})
    cell_id = cells.write_mapping(databases.api, {"uuid": "c", "name": "one", "disabled": False})
    mapping = {"cell_id": cell_id, "project_id": "p", "user_id": "u", "cores": 2, "ram": 3, "created_at": NOW}
    with databases.api.write() as connection:
        assert server_mappings.reserve(connection, demand)
        server_mappings.add(connection, [{"uuid": "s", **mapping, "counted": True, "confirmed": True}])
        owner = server_mappings.owner(connection, "s")
        assert owner is not None
        assert dict(owner) == {"project_id": "p", "user_id": "u"}
        assert server_mappings.owner(connection, "none") is None
        assert server_mappings.count_again(connection, "s", demand), "it counts"
        server_mappings.release(connection, "s")
        assert server_mappings.count_again(connection, "s", demand)
        assert server_mappings.usage(connection, "p") == wanted
        server_mappings.release(connection, "s")
        assert server_mappings.reserve(connection, demand)
        assert not server_mappings.count_again(connection, "s", demand), "another has taken its place"


@pytest.mark.parametrize("seed", range(16))
def test_a_reservation_goes_by_the_project_s_limits_then_the_class_s_then_the_defaults(
    databases: Databases, seed: int
) -> None:
    some = random.Random(seed)  # the same cases each time
    names = server_mappings.COUNTED
    used, wanted, defaults = ({name: some.randint(-low, 5) for name in names} for low in (0, 0, 1))
    own, classed = ({name: some.randint(-1, 8) for name in names if some.random() < share} for share in (0.7, 0.5))
    limits = {**defaults, **classed, **own}
    fits = all(limits[name] < 0 or used[name] + wanted[name] <= limits[name] for name in names)
    with databases.api.write() as connection:
        quotas.set_limits(connection, "p", own)
        quotas.set_class_limits(connection, quotas.DEFAULT_CLASS, classed)
        assert server_mappings.reserve(connection, server_mappings.Demand("p", "u", used, defaults, unlimited=True))
        assert server_mappings.reserve(connection, server_mappings.Demand("p", "u", wanted, defaults)) is fits
        added = {name: used[name] + wanted[name] for name in names}
        assert server_mappings.usage(connection, "p") == (added if fits else used)
