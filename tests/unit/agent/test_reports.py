from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.agent.test_desk import SPEC

from kilonova.agent.options import AgentOptions
from kilonova.agent.reports import DISABLED, Reporter
from kilonova.hypervisor.fake.driver import FakeDriver
from kilonova.hypervisor.fake.options import FakeOptions
from kilonova.kit.errors import Conflict, Unavailable


class Conductor:
    """A bus with a conductor that says what it is told to."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[tuple[str, Mapping[str, Any]]] = []

    def call(self, _address: Any, method: str, payload: Mapping[str, Any], *, timeout: float) -> Any:
        self.asked.append((method, payload))
        return self.answers.get(method, {})


class Placement:
    """Inventories and traits, kept."""

    def __init__(self) -> None:
        self.kept: dict[str, set[str]] = {}
        self.writes = 0
        self.broken = False
        self.away = False

    def ensure_provider(self, uuid: str, _name: str) -> None:
        if self.away:
            raise Unavailable("nobody answers")
        if self.broken:
            raise Conflict("another provider has that name")
        self.kept.setdefault(uuid, {"CUSTOM_MINE", "OLD"})

    def inventory(self, _uuid: str) -> dict[str, Any]:
        return {}

    def set_inventory(self, _uuid: str, _inventory: Any) -> None:
        self.writes += 1

    def traits(self, uuid: str) -> set[str]:
        return self.kept[uuid]

    def set_traits(self, uuid: str, traits: set[str]) -> None:
        self.kept[uuid] = traits


def reporter(conductor: Conductor, placement: Placement | None = None, **options: Any) -> tuple[Reporter, FakeDriver]:
    driver = FakeDriver(FakeOptions(), "h")
    made = Reporter("h", driver, conductor, placement, AgentOptions(**options))  # type: ignore[arg-type]  # only calls
    return made, driver


def test_a_sign_of_life_names_the_host() -> None:
    conductor = Conductor()
    reporter(conductor)[0].alive()
    assert conductor.asked == [("host.alive", {"host": "h"})]


@pytest.mark.parametrize("disabled", [False, True])
def test_a_node_is_offered_once_with_its_traits_and_the_operators(disabled: bool) -> None:
    conductor, placement = Conductor(**{"host.nodes": {"disabled": disabled}}), Placement()
    made, driver = reporter(conductor, placement)
    made.resources()
    made.resources()
    (traits,) = placement.kept.values()
    assert placement.writes == 1
    assert traits == {*driver.nodes()[0].traits, "CUSTOM_MINE", *([DISABLED] if disabled else [])}


def test_a_change_is_offered_again() -> None:
    conductor, placement = Conductor(**{"host.nodes": {"disabled": False}}), Placement()
    made, _ = reporter(conductor, placement)
    made.resources()
    conductor.answers["host.nodes"] = {"disabled": True}
    made.resources()
    assert placement.writes == 2


def test_a_node_that_cannot_be_offered_is_tried_again() -> None:
    conductor, placement = Conductor(**{"host.nodes": {"disabled": False}}), Placement()
    made, _ = reporter(conductor, placement)
    placement.broken = True
    made.resources()
    placement.broken = False
    made.resources()
    assert placement.writes == 1


@pytest.mark.parametrize(("action", "power"), [("reap", None), ("shutdown", 4), ("log", 1), ("noop", 1)])
def test_a_guest_that_nobody_wants_meets_what_the_option_says(action: str, power: int | None) -> None:
    conductor = Conductor(**{"host.guests": {"unwanted": ["s1"]}})
    made, driver = reporter(conductor, running_deleted_instance_action=action)
    driver.create(SPEC, lambda _: None)
    driver.create(replace(SPEC, uuid="s2"), lambda _: None)
    made.guests()
    assert conductor.asked == [("host.guests", {"host": "h", "guests": {"s1": 1, "s2": 1}})]
    left = {guest.uuid: int(guest.power) for guest in driver.guests()}
    assert left == ({"s2": 1} if power is None else {"s1": power, "s2": 1})


def test_what_placement_could_not_be_told_is_tried_again_soon() -> None:
    conductor, placement = Conductor(**{"host.nodes": {"disabled": False}}), Placement()
    placement.away = True
    made, _driver = reporter(conductor, placement)
    with pytest.raises(Unavailable, match="nobody answers"):  # after which its loop does not wait for the next round
        made.resources()
    assert [method for method, _ in conductor.asked] == ["host.nodes"]
    placement.away = False
    made.resources()
    assert placement.writes == 1
