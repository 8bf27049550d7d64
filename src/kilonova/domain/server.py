"""A server's states and the one status word the API shows for them."""

from typing import Final

BUILDING: Final = "building"
ACTIVE: Final = "active"
PAUSED: Final = "paused"
SUSPENDED: Final = "suspended"
STOPPED: Final = "stopped"
RESCUED: Final = "rescued"
RESIZED: Final = "resized"
SOFT_DELETED: Final = "soft-delete"
DELETED: Final = "deleted"
ERROR: Final = "error"
SHELVED: Final = "shelved"
SHELVED_OFFLOADED: Final = "shelved_offloaded"

_RESIZING = {
    "resize_prep": "RESIZE",
    "resize_migrating": "RESIZE",
    "resize_migrated": "RESIZE",
    "resize_finish": "RESIZE",
}
_REBUILDING = {
    "rebuilding": "REBUILD",
    "rebuild_block_device_mapping": "REBUILD",
    "rebuild_spawning": "REBUILD",
}

_STATUS: dict[str, tuple[str, dict[str, str]]] = {
    # vm_state: (status, {task_state: status while that task runs})
    ACTIVE: (
        "ACTIVE",
        {
            "rebooting": "REBOOT",
            "reboot_pending": "REBOOT",
            "reboot_started": "REBOOT",
            "rebooting_hard": "HARD_REBOOT",
            "reboot_pending_hard": "HARD_REBOOT",
            "reboot_started_hard": "HARD_REBOOT",
            "updating_password": "PASSWORD",
            "migrating": "MIGRATING",
            **_REBUILDING,
            **_RESIZING,
        },
    ),
    BUILDING: ("BUILD", {}),
    STOPPED: (
        "SHUTOFF",
        {
            "rebooting_hard": "HARD_REBOOT",
            "reboot_pending_hard": "HARD_REBOOT",
            "reboot_started_hard": "HARD_REBOOT",
            **_REBUILDING,
            **_RESIZING,
        },
    ),
    RESIZED: ("VERIFY_RESIZE", {"resize_reverting": "REVERT_RESIZE"}),
    PAUSED: ("PAUSED", {"migrating": "MIGRATING"}),
    SUSPENDED: ("SUSPENDED", {}),
    RESCUED: ("RESCUE", {}),
    ERROR: ("ERROR", dict(_REBUILDING)),
    DELETED: ("DELETED", {}),
    SOFT_DELETED: ("SOFT_DELETED", {}),
    SHELVED: ("SHELVED", {}),
    SHELVED_OFFLOADED: ("SHELVED_OFFLOADED", {}),
}

VM_STATES: Final = tuple(_STATUS)


def status_of(vm_state: str, task_state: str | None) -> str:
    """``status`` of a server (API reference, server status)."""
    plain, during = _STATUS.get(vm_state, ("UNKNOWN", {}))
    return during.get(task_state, plain) if task_state else plain


def states_of(status: str) -> list[tuple[str, frozenset[str] | None]]:
    """``(vm_state, task_states)`` pairs that show ``status``, for the list filter.

    ``None`` task states: any that has no status of its own. An unknown status gives an empty list.
    """
    found: list[tuple[str, frozenset[str] | None]] = []
    for vm_state, (plain, during) in _STATUS.items():
        if plain == status.upper():
            found.append((vm_state, None))
        tasks = frozenset(task for task, shown in during.items() if shown == status.upper())
        if tasks:
            found.append((vm_state, tasks))
    return found


def special_tasks(vm_state: str) -> frozenset[str]:
    """Task states that give ``vm_state`` another status than its plain one."""
    return frozenset(_STATUS[vm_state][1])
