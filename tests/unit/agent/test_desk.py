import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from kilonova.agent.desk import Desk, Revoked, UnknownCall
from kilonova.domain.power import PowerState
from kilonova.hypervisor.contracts import GuestSpec, HypervisorFailed
from kilonova.hypervisor.fake.driver import FakeDriver
from kilonova.hypervisor.fake.options import FakeOptions
from kilonova.kit import codec
from kilonova.kit.errors import Unsupported

SPEC = GuestSpec(
    uuid="s1",
    name="instance-1",
    display_name="web",
    project_id="p",
    user_id="u",
    flavor_name="tiny",
    vcpus=1,
    memory_mb=64,
    root_gb=1,
)


class Slow(FakeDriver):
    """Its creation takes until it is told to go on."""

    def __init__(self) -> None:
        super().__init__(FakeOptions(), "h")
        self.go_on = threading.Event()
        self.begun = threading.Event()
        self.creations = 0

    def create(self, spec: GuestSpec, progress: Any) -> Any:
        self.creations += 1
        self.begun.set()
        assert self.go_on.wait(5)
        return super().create(spec, progress)


@pytest.fixture
def driver() -> Iterator[Slow]:
    made = Slow()
    yield made
    made.go_on.set()
    made.close()


@pytest.fixture
def desk(driver: Slow) -> Iterator[Desk]:
    made = Desk(driver, threads=4, answer_within=0.02)
    yield made
    driver.go_on.set()
    made.stop()


def create(operation: str = "o", uuid: str = "s1") -> dict[str, Any]:
    return {"call": "create", "operation": operation, "arguments": {"spec": codec.pack(replace(SPEC, uuid=uuid))}}


def destroy(operation: str = "d", uuid: str = "s1", **more: Any) -> dict[str, Any]:
    return {"call": "destroy", "operation": operation, "arguments": {"uuid": uuid}, **more}


def finish(desk: Desk, payload: dict[str, Any]) -> Any:
    """Ask until it is done, as a conductor does."""
    while True:
        answer = desk.call(payload)
        if "pending" not in answer:
            return answer["result"]


def test_an_answer_is_plain_data(desk: Desk, driver: Slow) -> None:
    driver.go_on.set()
    plain = {"uuid": "s1", "name": "instance-1", "power": int(PowerState.RUNNING), "machine": None}
    assert finish(desk, create()) == plain


def test_long_work_is_pending_and_asking_again_joins_it(desk: Desk, driver: Slow) -> None:
    assert desk.call(create()) == {"pending": True}
    assert desk.call(create()) == {"pending": True}
    driver.go_on.set()
    finish(desk, create())
    finish(desk, create())
    assert driver.creations == 1


def test_a_failure_is_told_once_and_may_be_tried_again(desk: Desk, driver: Slow) -> None:
    driver.go_on.set()
    driver.faults.fail("create", times=1)
    with pytest.raises(HypervisorFailed):
        finish(desk, create())
    assert finish(desk, create())["uuid"] == "s1"


def test_a_guest_is_removed_only_after_it_is_made(desk: Desk, driver: Slow) -> None:
    assert desk.call(create()) == {"pending": True}
    assert driver.begun.wait(5)
    assert desk.call(destroy()) == {"pending": True}
    driver.go_on.set()
    assert finish(desk, destroy()) is None
    assert finish(desk, create())["uuid"] == "s1"  # told of again, not done again
    assert driver.guests() == ()


def test_other_guests_do_not_wait(desk: Desk, driver: Slow) -> None:
    assert desk.call(create()) == {"pending": True}
    assert finish(desk, destroy(uuid="s2")) is None


def test_a_failure_holds_nothing_up(desk: Desk, driver: Slow) -> None:
    driver.faults.fail("create", times=1)
    assert desk.call(create()) == {"pending": True}
    assert desk.call(destroy()) == {"pending": True}
    driver.go_on.set()
    assert finish(desk, destroy()) is None


def test_what_was_taken_back_is_not_begun_any_more(desk: Desk, driver: Slow) -> None:
    driver.go_on.set()
    finish(desk, destroy("o:undo", revokes="o"))
    with pytest.raises(Revoked):
        desk.call(create("o"))
    assert driver.creations == 0
    assert finish(desk, create("o2"))["uuid"] == "s1"


def test_calls_of_no_operation_are_answered_at_once(desk: Desk, driver: Slow) -> None:
    driver.go_on.set()
    finish(desk, create())
    answer = desk.call({"call": "output", "arguments": {"uuid": "s1", "limit": 1000}})
    assert answer["result"].startswith("instance-1 web: boot 1\n")


def test_an_unknown_call_is_refused(desk: Desk) -> None:
    with pytest.raises(UnknownCall, match="dance"):
        desk.call({"call": "dance", "arguments": {}})


def test_a_driver_may_have_no_consoles() -> None:
    class Dumb:
        def __getattr__(self, name: str) -> Any:
            if name == "endpoint":
                raise AttributeError(name)
            return lambda *_: None

    desk = Desk(Dumb())
    with pytest.raises(Unsupported):
        desk.call({"call": "console", "arguments": {"uuid": "s1", "kind": "novnc"}})
    desk.stop()
