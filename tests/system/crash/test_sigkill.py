"""SIGKILL of conductor and agent at every step boundary of build and delete: nothing stuck, leaked or lost."""

import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from tests.service.cloud import wait_for
from tests.service.operations.audit import audit, quota_errors
from tests.system.crash.plant import Plant

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Story:
    name: str
    act: Callable[[Plant], str]
    """Accepts the operation; returns the server."""
    end: str
    host: str = "host1"
    """Whose agent is killed."""


def _running(plant: Plant) -> str:
    uuid = plant.create("web")
    plant.until(uuid, "ACTIVE")
    return uuid


def _failing(plant: Plant) -> str:
    return plant.create("doomed")


def _delete(plant: Plant, uuid: str) -> str:
    plant.delete(uuid)
    return uuid


STORIES = (
    Story("build", lambda plant: plant.create("web"), "active"),
    Story("failing build", _failing, "error"),
    Story("build on the second host", lambda plant: plant.create("unlucky"), "active"),
)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    made = Plant(tmp_path_factory.mktemp("plant"))
    made.open()
    yield made
    made.close()


@pytest.fixture
def plant(opened: Plant) -> Iterator[Plant]:
    yield opened
    opened.alone()


def killed(where: str, host: str) -> str:
    return host if where.startswith("agent:") else "conductor1"


def crash(plant: Plant, story: Story, where: str) -> list[str]:
    """The story with one process killed at ``where`` and started again; what is wrong in the end."""
    victim = killed(where, story.host)
    plant.again(victim, at=where)
    uuid = story.act(plant)
    plant.dies(victim)
    plant.again(victim)
    plant.settle(uuid)
    return audit(plant.world(), uuid, story.end) + quota_errors(plant.world())


def crash_delete(plant: Plant, where: str) -> list[str]:
    uuid = _running(plant)
    return crash(plant, Story("delete", lambda p: _delete(p, uuid), "deleted"), where)


def _cases(plant: Plant) -> list[tuple[str, str, Callable[[], list[str]]]]:
    """Story, boundary, its run: each boundary once, in the first story that passes it."""
    cases: list[tuple[str, str, Callable[[], list[str]]]] = []
    known: set[str] = set()
    for story in STORIES:
        for where in _mine(plant.trace(lambda s=story: plant.settle(s.act(plant))), known):  # type: ignore[misc]
            cases.append((story.name, where, lambda s=story, w=where: crash(plant, s, w)))  # type: ignore[misc]
    uuid = _running(plant)
    known = {where for where in known if not where.startswith("agent:")}  # a delete that is no undo
    for where in _mine(plant.trace(lambda: plant.settle(_delete(plant, uuid))), known):
        cases.append(("delete", where, lambda w=where: crash_delete(plant, w)))  # type: ignore[misc]
    return cases


def _mine(seen: list[str], known: set[str]) -> list[str]:
    new = [where for where in seen if where not in known]
    known.update(new)
    return new


def test_every_boundary_survives_sigkill(plant: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    cases = _cases(plant)
    outcome: dict[tuple[str, str], list[str]] = {}
    with capsys.disabled():
        sys.stdout.write("\nSIGKILL at …\n")
        for story, where, run in cases:
            wrong = outcome[story, where] = run()
            sys.stdout.write(f"  {story:26} {where:32} {'; '.join(wrong) or 'survived'}\n")
            sys.stdout.flush()
        survived = sum(not wrong for wrong in outcome.values())
        sys.stdout.write(f"{survived} of {len(cases)} boundaries survived\n")
    assert {"agent:create:after", "agent:destroy:before", "create:host:done", "delete:quota:recorded"} <= {
        where for _, where in outcome
    }
    assert not {place: wrong for place, wrong in outcome.items() if wrong}


@pytest.mark.parametrize(
    "where", ["create:schedule:done", "create:ports:start", "create:host:announced", "create:finish:start"]
)
def test_a_conductor_that_slept_past_its_lease_touches_nothing(plant: Plant, where: str) -> None:
    plant.again("conductor1", at=where, number=signal.SIGSTOP)
    uuid = plant.create("web")
    plant.sleeps("conductor1")
    plant.begin("conductor2")
    plant.settle(uuid)
    plant.wake("conductor1")
    log = plant.directory / "conductor1.log"
    wait_for(lambda: "was taken over" in log.read_text(), 30)
    assert audit(plant.world(), uuid, "active") == []


@pytest.mark.parametrize("where", ["create:ports:start", "create:host:announced"])
def test_what_a_sleeper_made_for_a_server_that_is_gone_is_removed(plant: Plant, where: str) -> None:
    plant.again("conductor1", at=where, number=signal.SIGSTOP)
    uuid = plant.create("web")
    plant.sleeps("conductor1")
    plant.begin("conductor2")
    plant.until(uuid, "ACTIVE")
    plant.delete(uuid)
    plant.settle(uuid)
    plant.wake("conductor1")
    log = plant.directory / "conductor1.log"
    wait_for(lambda: "was taken over" in log.read_text(), 30)
    wait_for(lambda: audit(plant.world(), uuid, "deleted") == [], 10)
    assert quota_errors(plant.world()) == []
