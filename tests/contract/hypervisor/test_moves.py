"""Moves on one host, whatever the driver: set aside, taken at another size, taken back, let go, revived."""

from dataclasses import replace
from typing import Protocol

import pytest

from kilonova.domain.power import PowerState
from kilonova.hypervisor.contracts import Driver, GuestMissing, GuestSpec, LiveMoves, Moves

TOKEN = "11111111-2222-4333-8444-555555555555"


class World(Protocol):
    driver: Driver

    def spec(self, **changes: object) -> GuestSpec: ...

    def restart(self) -> None: ...


def quiet(_text: str) -> None:
    """Nobody listens."""


def given(world: World) -> GuestSpec:
    """A guest that was set aside, its disks lying ready on the same host."""
    spec = world.spec()
    world.driver.create(spec, quiet)
    berth = world.driver.berth(spec.uuid, TOKEN)
    for _ in range(2):
        world.driver.give(spec, berth, TOKEN, 0)
    return spec


def here(world: World, spec: GuestSpec) -> bool:
    return spec.uuid in {guest.uuid for guest in world.driver.guests()}


def test_it_offers_moves(world: World) -> None:
    assert isinstance(world.driver, Moves)
    assert isinstance(world.driver, LiveMoves)


def test_a_guest_grows_on_its_host_and_is_confirmed(world: World) -> None:
    spec = given(world)
    assert (here(world, spec), world.driver.kept()) == (False, (spec.uuid,))
    world.restart()
    bigger = replace(spec, memory_mb=48, root_gb=2)
    for _ in range(2):
        assert world.driver.take(bigger, TOKEN, power=True).power is PowerState.RUNNING
    assert here(world, spec)
    for _ in range(2):
        world.driver.let_go(spec.uuid)
    assert world.driver.kept() == ()
    assert world.driver.state(spec.uuid).power is PowerState.RUNNING


@pytest.mark.parametrize("power", [True, False])
def test_a_guest_comes_back_as_it_was(world: World, power: bool) -> None:
    spec = given(world)
    world.driver.take(replace(spec, memory_mb=48), TOKEN, power=True)
    world.driver.abandon(spec.uuid, TOKEN)
    for _ in range(2):
        state = world.driver.take_back(spec, TOKEN, power=power)
        assert state.power is (PowerState.RUNNING if power else PowerState.SHUTDOWN)
    assert world.driver.kept() == ()


def test_what_did_not_come_with_the_move_is_not_abandoned(world: World) -> None:
    spec = world.spec()
    world.driver.create(spec, quiet)
    world.driver.berth(spec.uuid, TOKEN)
    world.driver.abandon(spec.uuid, TOKEN)
    assert world.driver.state(spec.uuid).power is PowerState.RUNNING


def test_a_guest_set_aside_is_found_by_a_start(world: World) -> None:
    spec = given(world)
    world.driver.abandon(spec.uuid, TOKEN)
    assert world.driver.reboot(spec, hard=True, timeout=0).power is PowerState.RUNNING
    assert world.driver.kept() == ()


def test_guests_that_are_held_come_paused(world: World) -> None:
    spec = replace(given(world), held=True)
    assert world.driver.take(spec, TOKEN, power=True).power is PowerState.PAUSED
    world.driver.abandon(spec.uuid, TOKEN)
    assert world.driver.take_back(spec, TOKEN, power=True).power is PowerState.PAUSED
    world.driver.destroy(spec.uuid)
    assert world.driver.revive(spec, TOKEN, power=True, progress=quiet).power is PowerState.PAUSED


@pytest.mark.parametrize("power", [True, False])
def test_a_lost_guest_is_made_anew(world: World, power: bool) -> None:
    spec = world.spec()
    for _ in range(2):
        state = world.driver.revive(spec, TOKEN, power=power, progress=quiet)
        assert state.power is (PowerState.RUNNING if power else PowerState.SHUTDOWN)
    world.driver.abandon(spec.uuid, TOKEN)
    assert not here(world, spec)


def test_unknown_guests(world: World) -> None:
    spec = world.spec()
    berth = world.driver.berth(spec.uuid, TOKEN)
    with pytest.raises(GuestMissing):
        world.driver.give(spec, berth, TOKEN, 0)
    with pytest.raises(GuestMissing):
        world.driver.take_back(spec, TOKEN, power=True)
    world.driver.let_go(spec.uuid)
    world.driver.abandon(spec.uuid, TOKEN)
    world.driver.destroy(spec.uuid)
