"""Notifications of what operations do: which event a verb or a step of one is, and its payload.

They tell what happened after it was recorded. A process that dies in between leaves one out; none is told that did not
happen.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kilonova.domain.audit_period import current
from kilonova.domain.notifications import envelope, resources, servers
from kilonova.kit import codec
from kilonova.kit.clock import Clock, stamp
from kilonova.kit.notices import ERROR, INFO, Notice, NoticeOptions, Notices
from kilonova.operations.guests import guest_name
from kilonova.operations.work import Row, Work
from kilonova.store import block_devices
from kilonova.store import servers as server_rows
from kilonova.store.cells import Cell

_ACTION = "InstanceActionPayload"
Extra = Callable[[Work, Row, Row], Mapping[str, Any]]
"""(work, server, command) to what a payload has besides that of every action."""


@dataclass(frozen=True)
class Event:
    """What one verb is called."""

    name: str
    payload: str = _ACTION
    besides: Extra = lambda _work, _row, _command: {}
    tells_failure: bool = False
    program: str = "nova-compute"
    """Whose name it is told in."""


def _snapshot(_work: Work, _row: Row, command: Row) -> Mapping[str, Any]:
    return {"snapshot_image_id": command["image_id"]}


def _rescue(_work: Work, row: Row, command: Row) -> Mapping[str, Any]:
    return {"rescue_image_ref": command["image"].get("id") or row["image_ref"]}


def _certificates(_work: Work, row: Row, _command: Row) -> Mapping[str, Any]:
    return {"trusted_image_certificates": codec.loads(row["trusted_certs"])}


def _volume(work: Work, _row: Row, command: Row) -> Mapping[str, Any]:
    return {"volume_id": _of_device(work, command)}


def _swap(work: Work, _row: Row, command: Row) -> Mapping[str, Any]:
    return {"old_volume_id": _of_device(work, command), "new_volume_id": command["volume"]}


def _of_device(work: Work, command: Row) -> str | None:
    """The volume that the device had when the work began: it may be another, or none, by the end."""
    if "volume" not in work.told:
        with work.cell.database.read() as connection:
            found = block_devices.of_server(connection, work.uuid)
        work.told["volume"] = next((d.volume_id for d in found if d.uuid == command["device"]), None)
    volume: str | None = work.told["volume"]
    return volume


def _share(_work: Work, _row: Row, command: Row) -> Mapping[str, Any]:
    return {"share_id": command["share_id"]}


def _new_flavor(_work: Work, row: Row, command: Row) -> Mapping[str, Any]:
    after = {**row, **command["columns"]}
    return {"new_flavor": servers.flavor_as_built(after["flavor_id"], codec.loads(after["flavor"]))}


def _created(work: Work, row: Row, _command: Row) -> Mapping[str, Any]:
    return servers.created(row, guest_name(work.tools, row))


_API: Final = "nova-api"
_EVENTS: Final = {
    "create": Event("create", "InstanceCreatePayload", _created, tells_failure=True),
    "delete": Event("delete"),
    "soft_delete": Event("soft_delete"),
    "restore": Event("restore"),
    "start": Event("power_on"),
    "stop": Event("power_off"),
    "reboot": Event("reboot", tells_failure=True),
    "reboot_hard": Event("reboot", tells_failure=True),
    "pause": Event("pause"),
    "unpause": Event("unpause"),
    "suspend": Event("suspend"),
    "resume": Event("resume"),
    "create_image": Event("snapshot", "InstanceActionSnapshotPayload", _snapshot),
    "create_backup": Event("snapshot", "InstanceActionSnapshotPayload", _snapshot),
    "rebuild": Event("rebuild", "InstanceActionRebuildPayload", _certificates, tells_failure=True),
    "rescue": Event("rescue", "InstanceActionRescuePayload", _rescue),
    "unrescue": Event("unrescue"),
    "trigger_crash_dump": Event("trigger_crash_dump"),
    "shelve": Event("shelve"),
    "shelve_offload": Event("shelve_offload"),
    "unshelve": Event("unshelve"),
    "attach_interface": Event("interface_attach", tells_failure=True),
    "detach_interface": Event("interface_detach"),
    "attach_volume": Event("volume_attach", "InstanceActionVolumePayload", _volume, tells_failure=True),
    "detach_volume": Event("volume_detach", "InstanceActionVolumePayload", _volume),
    "swap_volume": Event("volume_swap", "InstanceActionVolumeSwapPayload", _swap, tells_failure=True),
    "attach_share": Event("share_attach", "InstanceActionSharePayload", _share, tells_failure=True, program=_API),
    "detach_share": Event("share_detach", "InstanceActionSharePayload", _share, tells_failure=True, program=_API),
    "confirm_resize": Event("resize_confirm"),
    "revert_resize": Event("resize_revert"),
    "evacuate": Event("rebuild", "InstanceActionRebuildPayload", _certificates, tells_failure=True),
}
_PREPARED: Final = Event("resize_prep", "InstanceActionResizePrepPayload", _new_flavor)
_MOVED: Final = {"berth": _PREPARED, "disks": Event("resize"), "host": Event("resize_finish")}
_STEPS: Final = {
    ("delete", "host"): Event("shutdown"),
    ("shelve", "compute_shelve_offload_instance"): Event("shelve_offload"),
    **{(verb, step): event for verb in ("resize", "migrate") for step, event in _MOVED.items()},
    ("live_migrate", "prepare"): Event("live_migration_pre"),
    ("live_migrate", "arrival"): Event("live_migration_post_dest"),
    ("live_migrate", "source"): Event("live_migration_post"),
}
_UNDONE: Final = {
    ("live_migrate", "destination"): Event("live_migration_rollback_dest"),
    ("live_migrate", "schedule"): Event("live_migration_rollback"),
}
"""What is told of undos, where a step got far enough to need them."""
_FAILED: Final = {"resize": Event("resize"), "migrate": Event("resize")}
"""What the failure of a verb is told as, whose ends are told step by step."""
_CHOICE: Final = "schedule"
"""The step in which a host is chosen, whatever the verb."""
_SCHEDULED: Final = Event("rebuild_scheduled", "InstanceActionRebuildPayload", _certificates)
_USAGE_ENDS: Final = {"delete", "rebuild", "evacuate", "rescue", "resize", "migrate"}
"""Verbs after which a server's usage is another: it is told before."""


_NOBODY: Final = {"request_id": None, "user_id": None, "project_id": None}
"""Who asks for what happens by itself."""


def _compute(host: str) -> str:
    return f"nova-compute:{host}"


class Announcer:
    """Sends what somebody wants to hear. Only asked where anybody listens."""

    def __init__(self, notices: Notices, options: NoticeOptions, scheduler: str, clock: Clock, period: str) -> None:
        """``period``: ``instance_usage_audit_period``. Raises BadPeriod."""
        self._notices = notices
        self._options = options
        self._scheduler = scheduler
        """Host of this process, in the publisher of what is no compute host's doing."""
        self._clock = clock
        self._period = period
        current(period, clock.now())  # a bad one is told at start

    def begun(self, work: Work) -> None:
        """The operation is being worked on; not told again when another conductor takes over."""
        event = _EVENTS.get(work.operation["verb"])
        row = self._row(work)
        if work.resumed or row is None:
            return
        self._state_changed(work, row, {**row, "task_state": None})
        if work.operation["verb"] in _USAGE_ENDS:
            begin, now = current(self._period, self._clock.now())
            self.exists(work.cell, row, (stamp(begin), stamp(now)), work.operation)
        if event is not None:
            self._tell(work, event, "start", row)

    def done(self, work: Work, task: str | None) -> None:
        """It ended well. ``task``: what the server's task state was meanwhile."""
        event, row = _EVENTS.get(work.operation["verb"]), self._row(work)
        if row is None:
            return
        self._state_changed(work, row, {**row, "task_state": task})
        if event is not None:
            self._tell(work, event, "end", row)

    def failed(self, work: Work, words: str, error: Exception) -> None:
        """It ended in a failure."""
        event, row = _EVENTS.get(work.operation["verb"]), self._row(work)
        if row is None:
            return
        reason = envelope.exception(error, words)
        self.send("compute.exception", _compute(row["host"] or self._scheduler), reason, ERROR)
        if (work.failed_step or "").partition("-")[0] == _CHOICE:
            self._no_host(work, row, reason)
        told = _FAILED.get(work.operation["verb"]) or (event if event is not None and event.tells_failure else None)
        if told is not None:
            self._tell(work, told, "error", row, reason)

    def step(self, work: Work, name: str, phase: str) -> None:
        """A step begins (``start``) or ended well (``end``)."""
        plain = name.partition("-")[0]
        event = _STEPS.get((work.operation["verb"], plain))
        if event is None and plain != _CHOICE:
            return
        row = self._row(work)
        if row is None:
            return
        if event is not None:
            self._tell(work, event, phase, row)
        else:
            payload = servers.placement_request(row, codec.loads(work.operation["command"]))
            self.send(f"scheduler.select_destinations.{phase}", f"nova-scheduler:{self._scheduler}", payload)
            if phase == "end" and work.operation["verb"] == "evacuate":
                payload = self._action(work, _SCHEDULED, row)
                self.send("instance.rebuild_scheduled", f"nova-conductor:{self._scheduler}", payload)

    def undo(self, work: Work, name: str, phase: str) -> None:
        """Something is about to be taken back (``start``), or was."""
        event, row = _UNDONE.get((work.operation["verb"], name)), self._row(work)
        if event is not None and row is not None and work.failed_step not in {None, _CHOICE}:
            self._tell(work, event, phase, row)

    def exists(self, cell: Cell, row: Row, period: tuple[str, str], cause: Row = _NOBODY) -> None:
        """A server existed in a period (begin, end)."""
        data = {**self._instance(cell, row, cause), "audit_period": servers.audit_period(*period)}
        publisher = _compute(row["host"] or self._scheduler)
        self.send("instance.exists", publisher, envelope.wrapped("InstanceExistsPayload", data))
        if self._notices.unversioned:
            flat = {"audit_period_beginning": period[0], "audit_period_ending": period[1], "bandwidth": {}}
            payload = {**servers.unversioned(row), **flat}
            old = Notice(event_type="compute.instance.exists", publisher=publisher, payload=payload)
            self._notices.send(old, versioned=False)

    def volume_used(self, row: Row, volume_id: str, counters: Row, now: str) -> None:
        """What was done with a server's volume so far."""
        self.send("volume.usage", _compute(row["host"]), servers.volume_usage(row, volume_id, counters, now))

    def service_made(self, row: Row) -> None:
        """A service reported for the first time."""
        self.send("service.create", f"{row['binary']}:{row['host']}", resources.service(row))

    def image_cached(self, aggregate: Row, place: Row) -> None:
        """One host of an aggregate has fetched images, or could not."""
        payload = envelope.wrapped("AggregateCachePayload", {**aggregate, **place})
        self.send("aggregate.cache_images.progress", f"nova-conductor:{self._scheduler}", payload)

    def send(self, event: str, publisher: str, payload: Row, priority: str = INFO) -> None:
        """Where somebody wants versioned notifications."""
        if self._notices.versioned:
            self._notices.send(Notice(event_type=event, publisher=publisher, payload=payload, priority=priority))

    @staticmethod
    def _row(work: Work) -> Row | None:
        with work.cell.database.read() as connection:
            return server_rows.get(connection, work.uuid, deleted=True)

    def _tell(self, work: Work, event: Event, phase: str, row: Row, fault: Row | None = None) -> None:
        priority = ERROR if phase == "error" else INFO
        publisher = f"{event.program}:{row['host'] or self._scheduler}"
        if self._notices.versioned:
            payload = self._action(work, event, row, fault)
            self.send(f"instance.{event.name}.{phase}", publisher, payload, priority)
        if self._notices.unversioned:
            name = f"compute.instance.{event.name}.{phase}"
            old = Notice(event_type=name, publisher=publisher, payload=servers.unversioned(row), priority=priority)
            self._notices.send(old, versioned=False)

    def _action(self, work: Work, event: Event, row: Row, fault: Row | None = None) -> dict[str, Any]:
        command = codec.loads(work.operation["command"])
        besides = event.besides(work, row, command)
        data = {**self._instance(work.cell, row, work.operation), "fault": fault, **besides}
        return envelope.wrapped(event.payload, data)

    def _instance(self, cell: Cell, row: Row, cause: Row) -> dict[str, Any]:
        devices = None
        if self._options.bdms_in_notifications:
            with cell.database.read() as connection:
                devices = block_devices.of_server(connection, row["uuid"])
        return servers.instance(row, cause, devices)

    def _no_host(self, work: Work, row: Row, reason: Row) -> None:
        verb = work.operation["verb"]
        task = {"create": "build_instances", "rebuild": "rebuild_server", "evacuate": "rebuild_server"}
        data = {
            "instance_uuid": row["uuid"],
            "reason": reason,
            "request_spec": servers.placement_request(row, codec.loads(work.operation["command"])),
            "state": row["vm_state"],
        }
        name = f"compute_task.{task.get(verb, 'migrate_server')}.error"
        payload = envelope.wrapped("ComputeTaskPayload", data)
        self.send(name, f"nova-conductor:{self._scheduler}", payload, ERROR)

    def _state_changed(self, work: Work, row: Row, before: Row) -> None:
        """``instance.update``, where the option asks for it."""
        if not self._options.notify_on_state_change or not self._notices.versioned:
            return
        data = {**self._instance(work.cell, row, work.operation), **servers.updated(row, before)}
        payload = envelope.wrapped("InstanceUpdatePayload", data)
        self.send("instance.update", _compute(row["host"] or self._scheduler), payload)
