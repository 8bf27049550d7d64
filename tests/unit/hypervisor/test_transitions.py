import pytest

from kilonova.domain.power import PowerState
from kilonova.hypervisor.contracts import GuestBusy
from kilonova.hypervisor.transitions import RULES, must_act


def test_a_call_acts_where_it_can() -> None:
    assert must_act("pause", "u", PowerState.RUNNING)


def test_a_call_that_is_done_already_does_nothing() -> None:
    assert not must_act("pause", "u", PowerState.PAUSED)


def test_a_call_that_does_not_fit_names_guest_state_call_and_remedy() -> None:
    with pytest.raises(GuestBusy, match="Guest u is shutdown; reboot soft needs it running"):
        must_act("reboot_soft", "u", PowerState.SHUTDOWN)


@pytest.mark.parametrize("call", sorted(RULES))
def test_no_state_is_both_done_and_to_do(call: str) -> None:
    assert not RULES[call].done & RULES[call].allowed


def test_a_hard_reboot_fits_every_state_a_guest_can_be_in() -> None:
    assert RULES["reboot_hard"].allowed == set(PowerState) - {PowerState.NOSTATE}
