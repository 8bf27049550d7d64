import pytest

from kilonova.domain.server import VM_STATES, special_tasks, states_of, status_of


@pytest.mark.parametrize(
    ("vm_state", "task_state", "status"),
    [
        ("active", None, "ACTIVE"),
        ("active", "rebooting", "REBOOT"),
        ("active", "rebooting_hard", "HARD_REBOOT"),
        ("active", "image_snapshot", "ACTIVE"),
        ("active", "deleting", "ACTIVE"),
        ("building", "scheduling", "BUILD"),
        ("stopped", "resize_prep", "RESIZE"),
        ("resized", "resize_reverting", "REVERT_RESIZE"),
        ("error", "rebuilding", "REBUILD"),
        ("soft-delete", None, "SOFT_DELETED"),
        ("unheard-of", None, "UNKNOWN"),
    ],
)
def test_status_of(vm_state: str, task_state: str | None, status: str) -> None:
    assert status_of(vm_state, task_state) == status


def test_states_of_is_the_inverse() -> None:
    for vm_state in VM_STATES:
        for task in (None, *special_tasks(vm_state)):
            found = states_of(status_of(vm_state, task))
            assert any(vm_state == state and (tasks is None or task in tasks) for state, tasks in found)


def test_a_status_is_asked_for_in_any_case_and_may_be_unknown() -> None:
    assert states_of("shutoff") == [("stopped", None)]
    assert states_of("NOT_A_STATUS") == []
    assert ("active", frozenset({"migrating"})) in states_of("migrating")
