from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.operations.conftest import Bench, Maker

from kilonova.kit import codec
from kilonova.operations import pause, resume, start, stop, suspend, unpause
from kilonova.operations.accepting import NoFields
from kilonova.operations.power import NotOnHost
from kilonova.operations.reboot import Reboot
from kilonova.operations.reboot import run as reboot
from kilonova.operations.work import Outcome

RUNS: dict[str, tuple[Callable[..., Outcome], Any, str]] = {
    "start": (start.run, NoFields(), "active"),
    "stop": (stop.run, NoFields(), "stopped"),
    "reboot": (reboot, Reboot(), "active"),
    "pause": (pause.run, NoFields(), "paused"),
    "unpause": (unpause.run, NoFields(), "active"),
    "suspend": (suspend.run, NoFields(), "suspended"),
    "resume": (resume.run, NoFields(), "active"),
}


@pytest.mark.parametrize("verb", RUNS)
def test_the_host_is_asked_and_its_answer_recorded(bench: Bench, claimed: Maker, verb: str) -> None:
    run, command, after = RUNS[verb]
    bench.hosts.answers[verb] = {"power": 3}
    work = claimed(verb, host="one")
    assert run(work, command) == Outcome(vm_state=after, values={"power_state": 3})
    assert bench.hosts.asked == [("one", verb)]
    assert bench.hosts.payloads[0]["operation"] == work.id


def test_a_server_without_a_host_has_no_power(claimed: Maker) -> None:
    with pytest.raises(NotOnHost):
        stop.run(claimed("stop"), NoFields())


@pytest.mark.parametrize(("text", "seconds"), [("7", 7), ("soon", 60), ("", 60)])
def test_an_image_may_say_how_long_its_guests_take(bench: Bench, claimed: Maker, text: str, seconds: int) -> None:
    image = {"id": "i", "properties": {"os_shutdown_timeout": text}}
    stop.run(claimed("stop", host="one", image=codec.text(image)), NoFields())
    assert bench.hosts.payloads[0]["timeout"] == seconds
