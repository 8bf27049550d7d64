import pytest

from kilonova.clients.keystone.neighbours import neighbour
from kilonova.clients.placement.contract import AlreadyClaimed, NoRoom, ProviderNameTaken
from kilonova.clients.placement.facts import Allocation, Inventory, Provider, Usage
from kilonova.clients.placement.http import HttpPlacement
from kilonova.kit.clock import ManualClock
from kilonova.kit.errors import Conflict, Invalid
from kilonova.kit.http.scripted import ScriptedApp, Told
from kilonova.kit.options import from_mapping
from kilonova.kit.sessions import Sessions

URL = "http://placement.local"
RP, CONSUMER = "rp1", "c1"
WANTED = Allocation(consumer=CONSUMER, allocations={RP: {"VCPU": 1}}, project_id="p", user_id="u")
RACED = Told(409, {"errors": [{"status": 409, "detail": "raced", "code": "placement.concurrent_update"}]})
FULL = Told(409, {"errors": [{"status": 409, "detail": "Unable to allocate", "code": "placement.undefined_code"}]})
NOTHING = Told(200, {"allocations": {}})


def held(amount: int) -> Told:
    return Told(
        200,
        {
            "allocations": {RP: {"resources": {"VCPU": amount}, "generation": 3}},
            "project_id": "p",
            "user_id": "u",
            "consumer_generation": 1,
            "consumer_type": "INSTANCE",
        },
    )


def row(name: str = "node", uuid: str = RP, parent: str | None = None) -> dict[str, object]:
    return {
        "uuid": uuid,
        "name": name,
        "generation": 4,
        "parent_provider_uuid": parent,
        "root_provider_uuid": parent or uuid,
    }


def to(app: ScriptedApp) -> HttpPlacement:
    section = {"auth_type": "admin_token", "endpoint": URL, "token": "t"}
    clock = ManualClock()
    return HttpPlacement(
        neighbour(Sessions(from_mapping({"placement": section}), {URL: app}), "placement", clock), clock
    )


def test_candidates_are_typed() -> None:
    document = {
        "allocation_requests": [{"allocations": {RP: {"resources": {"VCPU": 1}}}, "mappings": {"": [RP]}}],
        "provider_summaries": {
            RP: {
                "resources": {"VCPU": {"capacity": 16, "used": 3}},
                "traits": ["HW_CPU_X86_AVX"],
                "parent_provider_uuid": None,
                "root_provider_uuid": RP,
            }
        },
    }
    app = ScriptedApp(Told(200, document))

    found = to(app).candidates([("resources", "VCPU:1"), ("limit", "10")])

    assert app.asked[0].query == (("resources", "VCPU:1"), ("limit", "10"))
    assert app.asked[0].headers["OPENSTACK-API-VERSION"] == "placement 1.39"
    assert found.requests[0].allocations == {RP: {"VCPU": 1}}
    assert found.requests[0].mappings == {"": (RP,)}
    assert found.summaries[RP].resources == {"VCPU": Usage(capacity=16, used=3)}
    assert found.summaries[RP].traits == {"HW_CPU_X86_AVX"}


def test_claim_says_that_the_consumer_is_new() -> None:
    app = ScriptedApp(Told(204))

    to(app).claim(WANTED)

    assert app.calls == [("PUT", "/allocations/c1")]
    assert app.asked[0].json == {
        "allocations": {RP: {"resources": {"VCPU": 1}}},
        "project_id": "p",
        "user_id": "u",
        "consumer_type": "INSTANCE",
        "consumer_generation": None,
    }


def test_claim_that_got_through_before_is_fine() -> None:
    to(ScriptedApp(RACED, held(1))).claim(WANTED)


def test_other_claim_of_the_same_consumer() -> None:
    with pytest.raises(AlreadyClaimed, match=CONSUMER):
        to(ScriptedApp(RACED, held(2))).claim(WANTED)


def test_full_provider() -> None:
    with pytest.raises(NoRoom, match="Unable to allocate"):
        to(ScriptedApp(FULL, NOTHING)).claim(WANTED)


def test_raced_claim_is_tried_again() -> None:
    app = ScriptedApp(RACED, NOTHING, RACED, NOTHING, Told(204))

    to(app).claim(WANTED)

    assert [method for method, _ in app.calls] == ["PUT", "GET", "PUT", "GET", "PUT"]


def test_races_end() -> None:
    with pytest.raises(Conflict, match="raced"):
        to(ScriptedApp(*[RACED, NOTHING] * 6)).claim(WANTED)


def test_inventory_is_written_only_when_it_differs() -> None:
    same = Told(200, {"resource_provider_generation": 7, "inventories": {"VCPU": _inventory(8)}})
    app = ScriptedApp(same, same, Told(200, {}))
    placement = to(app)

    placement.set_inventory(RP, {"VCPU": Inventory(total=8)})
    placement.set_inventory(RP, {"VCPU": Inventory(total=9)})

    assert [method for method, _ in app.calls] == ["GET", "GET", "PUT"]
    assert app.asked[2].json == {"resource_provider_generation": 7, "inventories": {"VCPU": _inventory(9)}}


def _inventory(total: int) -> dict[str, object]:
    return {
        "total": total,
        "reserved": 0,
        "min_unit": 1,
        "max_unit": 2147483647,
        "step_size": 1,
        "allocation_ratio": 1.0,
    }


def test_raced_inventory_is_read_again() -> None:
    old = Told(200, {"resource_provider_generation": 7, "inventories": {}})
    new = Told(200, {"resource_provider_generation": 8, "inventories": {}})
    app = ScriptedApp(old, RACED, new, Told(200, {}))

    to(app).set_inventory(RP, {"VCPU": Inventory(total=9)})

    assert app.asked[3].json["resource_provider_generation"] == 8


def test_class_in_use_stays() -> None:
    in_use = Told(409, {"errors": [{"status": 409, "detail": "in use", "code": "placement.inventory.inuse"}]})
    had = Told(200, {"resource_provider_generation": 7, "inventories": {"VCPU": _inventory(8)}})

    with pytest.raises(Conflict, match="in use"):
        to(ScriptedApp(had, in_use)).set_inventory(RP, {})


def test_custom_traits_are_made_when_placement_does_not_know_them() -> None:
    unknown = Told(400, {"errors": [{"status": 400, "detail": "No such trait CUSTOM_X", "code": "x"}]})
    none = Told(200, {"resource_provider_generation": 2, "traits": []})
    app = ScriptedApp(none, unknown, Told(201), Told(200, {}))

    to(app).set_traits(RP, ["CUSTOM_X", "HW_CPU_X86_AVX"])

    assert app.calls[1:] == [
        ("PUT", "/resource_providers/rp1/traits"),
        ("PUT", "/traits/CUSTOM_X"),
        ("PUT", "/resource_providers/rp1/traits"),
    ]


def test_unknown_standard_trait_is_an_error() -> None:
    unknown = Told(400, {"errors": [{"status": 400, "detail": "No such trait HW_NOPE", "code": "x"}]})
    none = Told(200, {"resource_provider_generation": 2, "traits": []})

    with pytest.raises(Invalid, match="HW_NOPE"):
        to(ScriptedApp(none, unknown)).set_traits(RP, ["HW_NOPE"])


def test_provider_is_made_when_missing() -> None:
    app = ScriptedApp(Told(404), Told(200, row()))

    assert to(app).ensure_provider(RP, "node") == Provider(uuid=RP, name="node", generation=4, root=RP)
    assert app.asked[1].json == {"uuid": RP, "name": "node"}


def test_provider_that_another_process_just_made() -> None:
    taken = Told(409, {"errors": [{"status": 409, "detail": "exists", "code": "placement.duplicate_name"}]})

    assert to(ScriptedApp(Told(404), taken, Told(200, row()))).ensure_provider(RP, "node").generation == 4


def test_name_of_another_provider() -> None:
    taken = Told(409, {"errors": [{"status": 409, "detail": "exists", "code": "placement.duplicate_name"}]})
    listed = Told(200, {"resource_providers": [row(uuid="old")]})

    with pytest.raises(ProviderNameTaken, match="node is taken by provider old"):
        to(ScriptedApp(Told(404), taken, Told(404), listed)).ensure_provider(RP, "node")


def test_renamed_provider_keeps_its_parent() -> None:
    app = ScriptedApp(Told(200, row("old", parent="root")), Told(200, row("node", parent="root")))

    assert to(app).ensure_provider(RP, "node").name == "node"
    assert app.asked[1].json == {"name": "node", "parent_provider_uuid": "root"}


def test_releasing_and_deleting_what_is_not_there() -> None:
    placement = to(ScriptedApp(Told(404)))

    assert placement.release(CONSUMER) is False
    assert placement.delete_provider(RP) is False


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (
            Told(200, {"fits": False, "summary": "No provider meets: resources=VCPU:9.", "constraints": []}),
            "No provider",
        ),
        (Told(404, {"errors": [{"status": 404, "detail": "Not Found"}]}), None),
        (Told(500, {}), None),
    ],
)
def test_why_there_are_no_candidates(told: Told, words: str | None) -> None:
    why = to(ScriptedApp(told)).why_none([("resources", "VCPU:9")])
    assert (why or "").startswith(words or "")
    assert (why is None) is (words is None)
