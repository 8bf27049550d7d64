"""The table says everything: each verb in each state is either accepted or refused as it says."""

import pytest

from kilonova.domain.lifecycle import HIDDEN, LIFECYCLE, Transition, WrongState, check
from kilonova.domain.server import VM_STATES

_TASKS = (None, "deleting", "rebooting", "powering-off", "image_snapshot")


@pytest.mark.parametrize("row", LIFECYCLE.values(), ids=lambda row: row.verb)
def test_every_verb_in_every_state(row: Transition) -> None:
    for vm_state in VM_STATES:
        for task in _TASKS:
            allowed = vm_state in row.allowed and (row.tasks is None or task in row.tasks)
            if allowed:
                assert check(row.verb, "u", vm_state, task) is row
                continue
            with pytest.raises(WrongState, match=row.action_name):
                check(row.verb, "u", vm_state, task)


def test_states_in_the_table_exist() -> None:
    for row in LIFECYCLE.values():
        assert row.allowed <= set(VM_STATES)
        assert row.after is None or row.after in VM_STATES
        assert row.on_failure is None or row.on_failure in VM_STATES


def test_a_deletion_is_allowed_whatever_goes_on() -> None:
    for vm_state in set(VM_STATES) - {"deleted"}:
        assert check("delete", "u", vm_state, "spawning").verb == "delete"


def test_the_words_name_what_is_wrong() -> None:
    with pytest.raises(WrongState, match="Cannot 'stop' instance u while it is in vm_state paused"):
        check("stop", "u", "paused", None)
    with pytest.raises(WrongState, match="Cannot 'stop' instance u while it is in task_state rebooting"):
        check("stop", "u", "active", "rebooting")


def test_hidden_verbs_have_no_state() -> None:
    assert not HIDDEN & set(LIFECYCLE)
