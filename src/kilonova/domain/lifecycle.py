"""One table: which verb is allowed in which state, and what the server's state is during, after and on failure.

The 409s, the diagram in the documentation and an exhaustive test derive from it.
"""

from dataclasses import dataclass
from typing import Final

from kilonova.domain import server as states
from kilonova.kit.errors import Conflict

_ANY: Final = frozenset(states.VM_STATES)
_RUNNING: Final = frozenset({states.ACTIVE})
_BOOTABLE: Final = frozenset({states.ACTIVE, states.STOPPED, states.PAUSED, states.SUSPENDED, states.ERROR})
_OFF_OR_ON: Final = frozenset({states.ACTIVE, states.STOPPED})
_COPYABLE: Final = frozenset({states.ACTIVE, states.STOPPED, states.PAUSED, states.SUSPENDED})
_PLUGGABLE: Final = frozenset({states.ACTIVE, states.PAUSED, states.STOPPED})
_REPAIRABLE: Final = frozenset({states.ACTIVE, states.STOPPED, states.ERROR})
_VOLUME_HOLDERS: Final = frozenset(
    {
        states.ACTIVE,
        states.PAUSED,
        states.STOPPED,
        states.RESIZED,
        states.SOFT_DELETED,
        states.SHELVED,
        states.SHELVED_OFFLOADED,
    }
)
_NO_TASK: Final[frozenset[str | None]] = frozenset({None})
_REBOOT_TASKS: Final[frozenset[str | None]] = frozenset(
    {
        None,
        "rebooting",
        "rebooting_hard",
        "resuming",
        "unpausing",
        "suspending",
        "pausing",
        "powering-off",
        "powering-on",
    }
)


@dataclass(frozen=True, kw_only=True)
class Transition:
    """What one verb does to a server's state."""

    verb: str
    allowed: frozenset[str]
    """vm_states in which it is accepted."""
    during: str | None
    """task_state while it runs; None: it runs beside others and its end leaves the states alone."""
    after: str | None
    """vm_state when it is done; None leaves it."""
    on_failure: str | None
    """vm_state when it failed; None: as it was."""
    tasks: frozenset[str | None] | None = _NO_TASK
    """task_states in which it is accepted; None: any."""
    action: str = ""
    """Its name in os-instance-actions; empty: the verb."""
    event: str = ""
    """Name of its main event there."""
    when_locked: bool = False
    """Accepted on a locked server, too."""

    @property
    def action_name(self) -> str:
        """Name in os-instance-actions."""
        return self.action or self.verb


_ROWS: Final = (
    Transition(
        verb="create",
        allowed=frozenset(),
        during="scheduling",
        after=states.ACTIVE,
        on_failure=states.ERROR,
        event="compute__do_build_and_run_instance",
    ),
    Transition(
        verb="delete",
        allowed=_ANY - {states.DELETED},
        during="deleting",
        after=states.DELETED,
        on_failure=states.ERROR,
        tasks=None,
        event="compute_terminate_instance",
    ),
    Transition(
        verb="start",
        allowed=frozenset({states.STOPPED}),
        during="powering-on",
        after=states.ACTIVE,
        on_failure=None,
        event="compute_start_instance",
    ),
    Transition(
        verb="stop",
        allowed=frozenset({states.ACTIVE, states.ERROR}),
        during="powering-off",
        after=states.STOPPED,
        on_failure=None,
        event="compute_stop_instance",
    ),
    Transition(
        verb="reboot",
        allowed=_RUNNING,
        during="rebooting",
        after=states.ACTIVE,
        on_failure=states.ERROR,
        event="compute_reboot_instance",
    ),
    Transition(
        verb="reboot_hard",
        allowed=_BOOTABLE,
        during="rebooting_hard",
        after=states.ACTIVE,
        on_failure=states.ERROR,
        tasks=_REBOOT_TASKS,
        action="reboot",
        event="compute_reboot_instance",
    ),
    Transition(
        verb="pause",
        allowed=_RUNNING,
        during="pausing",
        after=states.PAUSED,
        on_failure=None,
        event="compute_pause_instance",
    ),
    Transition(
        verb="unpause",
        allowed=frozenset({states.PAUSED}),
        during="unpausing",
        after=states.ACTIVE,
        on_failure=None,
        event="compute_unpause_instance",
    ),
    Transition(
        verb="suspend",
        allowed=_RUNNING,
        during="suspending",
        after=states.SUSPENDED,
        on_failure=None,
        event="compute_suspend_instance",
    ),
    Transition(
        verb="resume",
        allowed=frozenset({states.SUSPENDED}),
        during="resuming",
        after=states.ACTIVE,
        on_failure=None,
        event="compute_resume_instance",
    ),
    Transition(
        verb="resize",
        allowed=_OFF_OR_ON,
        during="resize_prep",
        after=states.RESIZED,
        on_failure=None,
        event="compute_finish_resize",
    ),
    Transition(
        verb="migrate",
        allowed=_OFF_OR_ON,
        during="resize_prep",
        after=states.RESIZED,
        on_failure=None,
        event="compute_finish_resize",
    ),
    Transition(
        verb="confirm_resize",
        allowed=frozenset({states.RESIZED}),
        during="resize_confirming",
        after=states.ACTIVE,
        on_failure=states.ERROR,
        action="confirmResize",
        event="compute_confirm_resize",
    ),
    Transition(
        verb="revert_resize",
        allowed=frozenset({states.RESIZED}),
        during="resize_reverting",
        after=states.ACTIVE,
        on_failure=states.ERROR,
        action="revertResize",
        event="compute_finish_revert_resize",
    ),
    Transition(
        verb="live_migrate",
        allowed=frozenset({states.ACTIVE, states.PAUSED}),
        during="migrating",
        after=None,
        on_failure=None,
        action="live-migration",
        event="compute_live_migration",
    ),
    Transition(
        verb="evacuate",
        allowed=frozenset({states.ACTIVE, states.STOPPED, states.ERROR}),
        during="rebuilding",
        after=states.ACTIVE,
        on_failure=states.ERROR,
        event="compute_rebuild_instance",
    ),
    Transition(
        verb="create_image",
        allowed=_COPYABLE,
        during="image_snapshot",
        after=None,
        on_failure=None,
        action="createImage",
        event="compute_snapshot_instance",
    ),
    Transition(
        verb="attach_volume",
        allowed=_VOLUME_HOLDERS,
        during=None,
        after=None,
        on_failure=None,
        event="compute_attach_volume",
    ),
    Transition(
        verb="detach_volume",
        allowed=_VOLUME_HOLDERS,
        during=None,
        after=None,
        on_failure=None,
        event="compute_detach_volume",
    ),
    Transition(
        verb="swap_volume",
        allowed=frozenset({states.ACTIVE, states.PAUSED, states.RESIZED}),
        during=None,
        after=None,
        on_failure=None,
        event="compute_swap_volume",
    ),
    Transition(
        verb="attach_share",
        allowed=frozenset({states.STOPPED}),
        during=None,
        after=None,
        on_failure=None,
        event="compute_allow_share",
    ),
    Transition(
        verb="detach_share",
        allowed=frozenset({states.STOPPED}),
        during=None,
        after=None,
        on_failure=None,
        event="compute_deny_share",
    ),
    Transition(
        verb="attach_interface",
        allowed=_PLUGGABLE,
        during=None,
        after=None,
        on_failure=None,
        event="compute_attach_interface",
    ),
    Transition(
        verb="detach_interface",
        allowed=_PLUGGABLE,
        during=None,
        after=None,
        on_failure=None,
        event="compute_detach_interface",
    ),
    Transition(
        verb="create_backup",
        allowed=_COPYABLE,
        during="image_backup",
        after=None,
        on_failure=None,
        action="createBackup",
        event="compute_backup_instance",
    ),
    Transition(
        verb="rebuild",
        allowed=_REPAIRABLE,
        during="rebuilding",
        after=states.ACTIVE,
        on_failure=states.ERROR,
        event="compute_rebuild_instance",
    ),
    Transition(
        verb="rescue",
        allowed=_REPAIRABLE,
        during="rescuing",
        after=states.RESCUED,
        on_failure=states.ERROR,
        event="compute_rescue_instance",
    ),
    Transition(
        verb="unrescue",
        allowed=frozenset({states.RESCUED}),
        during="unrescuing",
        after=states.ACTIVE,
        on_failure=states.ERROR,
        event="compute_unrescue_instance",
    ),
    Transition(
        verb="soft_delete",
        allowed=_ANY - {states.DELETED, states.SOFT_DELETED},
        during="soft-deleting",
        after=states.SOFT_DELETED,
        on_failure=states.ERROR,
        tasks=None,
        action="delete",
        event="compute_soft_delete_instance",
    ),
    Transition(
        verb="restore",
        allowed=frozenset({states.SOFT_DELETED}),
        during="restoring",
        after=states.ACTIVE,
        on_failure=None,
        event="compute_restore_instance",
    ),
    Transition(
        verb="change_password",
        allowed=_RUNNING,
        during=None,
        after=None,
        on_failure=None,
        action="changePassword",
        event="compute_set_admin_password",
    ),
    Transition(
        verb="trigger_crash_dump",
        allowed=frozenset({states.ACTIVE, states.PAUSED, states.RESCUED, states.RESIZED, states.ERROR}),
        during=None,
        after=None,
        on_failure=None,
        event="compute_trigger_crash_dump",
    ),
    Transition(
        verb="shelve",
        allowed=_COPYABLE,
        during="shelving",
        after=states.SHELVED,
        on_failure=None,
        event="compute_shelve_instance",
    ),
    Transition(
        verb="shelve_offload",
        allowed=frozenset({states.SHELVED}),
        during="shelving_offloading",
        after=states.SHELVED_OFFLOADED,
        on_failure=None,
        action="shelveOffload",
        event="compute_shelve_offload_instance",
    ),
    Transition(
        verb="unshelve",
        allowed=frozenset({states.SHELVED, states.SHELVED_OFFLOADED}),
        during="unshelving",
        after=states.ACTIVE,
        on_failure=None,
        event="compute_unshelve_instance",
    ),
)

LIFECYCLE: Final[dict[str, Transition]] = {row.verb: row for row in _ROWS}

NOT_WITH_SHARES: Final = frozenset({"resize", "migrate", "live_migrate", "evacuate", "shelve", "suspend", "rescue"})
"""Verbs that would part a server from the host which is let in, or from memory that can be shared."""
AT_ONCE: Final = frozenset({"change_password"})
"""Verbs that are done while the request waits: the journal only keeps their record."""
HIDDEN: Final = frozenset({"refresh_network", "extend_volume", "assist_snapshot"})
"""Verbs that run beside others: they have no state and are no user's action."""


class WrongState(Conflict):
    """The server's state does not allow the verb (409)."""

    template = "Cannot '{action}' instance {uuid} while it is in {attribute} {state}"


class ServerLocked(Conflict):
    """The server is locked, and the caller may not act on it."""

    template = "Instance {uuid} is locked"


def check(verb: str, uuid: str, vm_state: str, task_state: str | None) -> Transition:
    """The verb's row, if it is allowed now. Raises WrongState."""
    row = LIFECYCLE[verb]
    if vm_state not in row.allowed:
        raise WrongState(action=row.action_name, uuid=uuid, attribute="vm_state", state=vm_state)
    if row.tasks is not None and task_state not in row.tasks:
        raise WrongState(action=row.action_name, uuid=uuid, attribute="task_state", state=task_state)
    return row


def mermaid() -> str:
    """The states and verbs as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", "    [*] --> building: create"]
    for row in _ROWS:
        for state in sorted(row.allowed):
            if row.after and row.verb != "delete":
                lines.append(f"    {state} --> {row.after}: {row.verb}")
    lines += [
        "    building --> active",
        "    building --> error",
        "    note right of deleted: delete is allowed in any state",
    ]
    return "\n".join(line.replace("soft-delete", "soft_deleted") for line in lines) + "\n"
