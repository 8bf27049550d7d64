import pytest

from kilonova.hypervisor.contracts import HypervisorFailed, HypervisorUnavailable
from kilonova.hypervisor.fake.faults import BadFault, FakeFaults
from kilonova.kit.clock import ManualClock


def test_nothing_goes_wrong_unless_told() -> None:
    FakeFaults().meet("create", "h", "web")


def test_slowness_is_slept_per_call() -> None:
    clock = ManualClock()
    faults = FakeFaults.parse("create=2.5, *=1", "", clock)
    faults.meet("create", "h")
    faults.meet("destroy", "h")
    assert clock.monotonic() == 3.5


def test_a_failure_counts_down_and_hits_only_its_call_and_names() -> None:
    faults = FakeFaults.parse("", "create:2:bad-")
    faults.meet("create", "h", "good")
    faults.meet("destroy", "h", "bad-1")
    for _ in range(2):
        with pytest.raises(HypervisorFailed, match="create failed on h: told to fail"):
            faults.meet("create", "h", "bad-1")
    faults.meet("create", "h", "bad-1")


@pytest.mark.parametrize("text", ["stop", "stop:always", "stop::", "*"])
def test_a_failure_without_a_number_lasts_until_cleared(text: str) -> None:
    faults = FakeFaults.parse("", text)
    for _ in range(5):
        with pytest.raises(HypervisorFailed):
            faults.meet("stop", "h", "any")
    faults.clear()
    faults.meet("stop", "h", "any")


def test_a_host_can_be_told_to_be_away() -> None:
    faults = FakeFaults()
    faults.fail("nodes", unavailable=True)
    with pytest.raises(HypervisorUnavailable):
        faults.meet("nodes", "h")


@pytest.mark.parametrize(
    ("slow", "fail", "words"),
    [
        ("create=soon", "", "slow has 'create=soon'"),
        ("fly=1", "", "slow has 'fly'"),
        ("", "create:often", "fail has 'create:often'"),
        ("", "fly", "fail has 'fly': not a call"),
    ],
)
def test_a_rule_that_makes_no_sense_is_named(slow: str, fail: str, words: str) -> None:
    with pytest.raises(BadFault, match=words):
        FakeFaults.parse(slow, fail)
