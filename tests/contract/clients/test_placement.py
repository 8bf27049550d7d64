"""The REST client against the placement service of this package, in this process."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonova.clients.keystone.neighbours import neighbour
from kilonova.clients.placement.contract import AlreadyClaimed, NoRoom, Placement, ProviderNameTaken
from kilonova.clients.placement.facts import Allocation, Inventory, Usage
from kilonova.clients.placement.http import HttpPlacement
from kilonova.kit.auth import NoAuth
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.kit.errors import Conflict, Invalid, NotFound
from kilonova.kit.options import from_mapping
from kilonova.kit.sessions import Sessions
from kilonova.placement.api.app import build, sync

URL = "http://placement.local"
NODE, OTHER = "a0000000-0000-4000-8000-000000000001", "a0000000-0000-4000-8000-000000000002"
SERVER, SECOND = "c0000000-0000-4000-8000-000000000001", "c0000000-0000-4000-8000-000000000002"
PROJECT, USER = "5b0c2d6a1f1e4c0b9a7d3e8f6a5b4c3d", "u"
STOCK = {"VCPU": Inventory(total=4, max_unit=4, allocation_ratio=2.0), "MEMORY_MB": Inventory(total=4096, reserved=512)}


@pytest.fixture
def placement(tmp_path: Path) -> Iterator[Placement]:
    database = Database(DatabaseOptions(connection=f"sqlite:///{tmp_path}/placement.db"))
    sync(database)
    app = build(database, from_mapping({}), NoAuth())
    section = {"auth_type": "admin_token", "endpoint": URL, "token": "admin"}
    yield HttpPlacement(neighbour(Sessions(from_mapping({"placement": section}), {URL: app}), "placement"))
    database.dispose()


@pytest.fixture
def node(placement: Placement) -> str:
    placement.ensure_provider(NODE, "node1")
    placement.set_inventory(NODE, STOCK)
    return NODE


def wanted(consumer: str = SERVER, vcpus: int = 2, provider: str = NODE, generation: int | None = None) -> Allocation:
    resources = {provider: {"VCPU": vcpus, "MEMORY_MB": 256}}
    return Allocation(consumer=consumer, allocations=resources, project_id=PROJECT, user_id=USER, generation=generation)


def test_provider_is_made_once_and_renamed(placement: Placement) -> None:
    first = placement.ensure_provider(NODE, "node1")
    again = placement.ensure_provider(NODE, "node1")
    renamed = placement.ensure_provider(NODE, "node2")

    assert first == again
    assert (renamed.uuid, renamed.name) == (NODE, "node2")
    assert [p.name for p in placement.providers()] == ["node2"]
    with pytest.raises(ProviderNameTaken, match=NODE):
        placement.ensure_provider(OTHER, "node2")


def test_nested_provider(placement: Placement) -> None:
    placement.ensure_provider(NODE, "node1")
    child = placement.ensure_provider(OTHER, "node1_gpu", parent=NODE)

    assert (child.parent, child.root) == (NODE, NODE)
    assert {p.uuid for p in placement.providers([("in_tree", NODE)])} == {NODE, OTHER}


def test_inventory_with_custom_class(placement: Placement, node: str) -> None:
    stock = {**STOCK, "CUSTOM_LICENCE": Inventory(total=3)}

    placement.set_inventory(node, stock)

    assert placement.inventory(node) == stock
    with pytest.raises(NotFound):
        placement.inventory(OTHER)


def test_traits_with_custom_ones(placement: Placement, node: str) -> None:
    placement.set_traits(node, ["HW_CPU_X86_AVX2", "CUSTOM_FAST"])

    assert placement.traits(node) == {"HW_CPU_X86_AVX2", "CUSTOM_FAST"}
    with pytest.raises(Invalid, match="HW_NOPE"):
        placement.set_traits(node, ["HW_NOPE"])


def test_aggregates(placement: Placement, node: str) -> None:
    placement.set_aggregates(node, [OTHER])
    placement.set_aggregates(node, [OTHER])

    assert placement.aggregates(node) == {OTHER}


def test_candidates(placement: Placement, node: str) -> None:
    placement.set_traits(node, ["HW_CPU_X86_AVX2"])

    found = placement.candidates([("resources", "VCPU:2,MEMORY_MB:256"), ("required", "HW_CPU_X86_AVX2")])

    (candidate,) = found.requests
    assert candidate.allocations == {node: {"VCPU": 2, "MEMORY_MB": 256}}
    assert candidate.mappings == {"": (node,)}
    assert found.summaries[node].resources["VCPU"] == Usage(capacity=8, used=0)
    assert found.summaries[node].traits == {"HW_CPU_X86_AVX2"}
    assert placement.candidates([("resources", "VCPU:3000")]).requests == ()
    with pytest.raises(Invalid):
        placement.candidates([("resources", "NOPE:1")])


def test_claim_and_release(placement: Placement, node: str) -> None:
    placement.claim(wanted())
    placement.claim(wanted())

    held = placement.allocation(SERVER)
    assert held is not None
    assert held.allocations == {node: {"VCPU": 2, "MEMORY_MB": 256}}
    assert (held.project_id, held.user_id, held.consumer_type) == (PROJECT, USER, "INSTANCE")
    assert placement.consumers(node) == {SERVER: {"VCPU": 2, "MEMORY_MB": 256}}
    with pytest.raises(AlreadyClaimed):
        placement.claim(wanted(vcpus=3))
    assert placement.release(SERVER) is True
    assert placement.release(SERVER) is False
    assert placement.allocation(SERVER) is None


def test_claim_that_does_not_fit(placement: Placement, node: str) -> None:
    for number in range(2):
        placement.claim(wanted(f"c0000000-0000-4000-8000-00000000001{number}", vcpus=4))

    with pytest.raises(NoRoom, match=SECOND):
        placement.claim(wanted(SECOND, vcpus=1))
    assert placement.allocation(SECOND) is None


def test_candidate_can_be_claimed_as_it_is(placement: Placement, node: str) -> None:
    (candidate,) = placement.candidates([("resources1", "VCPU:1"), ("resources_A", "MEMORY_MB:64"),
                                         ("group_policy", "none")]).requests  # fmt: skip
    claim = Allocation(
        consumer=SERVER,
        allocations=candidate.allocations,
        mappings=candidate.mappings,
        project_id=PROJECT,
        user_id=USER,
    )

    placement.claim(claim)

    assert placement.consumers(node) == {SERVER: {"VCPU": 1, "MEMORY_MB": 64}}


def test_allocations_move_between_consumers_at_once(placement: Placement, node: str) -> None:
    placement.claim(wanted())
    held = placement.allocation(SERVER)
    assert held is not None
    emptied = Allocation(consumer=SERVER, allocations={}, project_id=PROJECT, user_id=USER, generation=held.generation)

    placement.replace([emptied, wanted(SECOND)])

    assert placement.consumers(node) == {SECOND: {"VCPU": 2, "MEMORY_MB": 256}}
    with pytest.raises(Conflict):
        placement.replace([wanted(SECOND, generation=99)])
    current = placement.allocation(SECOND)
    assert current is not None
    with pytest.raises(NoRoom):
        placement.replace([wanted(SECOND, vcpus=9, generation=current.generation)])


def test_many_claim_the_last_room_and_none_too_many(placement: Placement, node: str) -> None:
    won: list[str] = []
    lost: list[str] = []

    def claim(number: int) -> None:
        consumer = f"c0000000-0000-4000-8000-0000000001{number:02d}"
        try:
            placement.claim(wanted(consumer, vcpus=2))
            won.append(consumer)
        except NoRoom:
            lost.append(consumer)

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(won), len(lost)) == (4, 4)
    assert set(placement.consumers(node)) == set(won)


def test_provider_in_use_stays(placement: Placement, node: str) -> None:
    placement.claim(wanted())

    with pytest.raises(Conflict):
        placement.delete_provider(node)
    with pytest.raises(Conflict):
        placement.set_inventory(node, {})
    placement.release(SERVER)
    assert placement.delete_provider(node) is True
    assert placement.delete_provider(node) is False


def test_it_says_why_there_are_no_candidates(placement: Placement, node: str) -> None:
    query = [("resources", "VCPU:99,MEMORY_MB:1")]
    assert not placement.candidates(query).requests
    assert "resources=VCPU:99 (0 providers, at most 4 on one)" in (placement.why_none(query) or "")
