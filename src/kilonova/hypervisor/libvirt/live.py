"""Moves of guests that run: libvirt sends them, we watch, push and, when asked, call them off."""

import contextlib
import functools
import threading
import xml.etree.ElementTree as ET  # reads what our own libvirtd wrote
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from kilonova.domain.migration import Aborted
from kilonova.domain.power import PowerState
from kilonova.hypervisor.contracts import (
    Berth,
    CannotMove,
    GuestSpec,
    GuestState,
    LivePlan,
    Nic,
    Progress,
    Report,
    VolumeDisk,
)
from kilonova.hypervisor.libvirt.builders.volumes import source_of
from kilonova.hypervisor.libvirt.connection import LiveDomain, Migration
from kilonova.hypervisor.libvirt.lifecycle import Lifecycle
from kilonova.hypervisor.libvirt.options import DriverOptions
from kilonova.hypervisor.libvirt.xml import domain as xml
from kilonova.hypervisor.libvirt.xml.tree import read, write
from kilonova.kit.errors import KilonovaError

_POLL_S = 0.2
_LONGEST_INTERVAL_S = 1.0
_GIB = 1024**3
_MIB_PER_GIB = 1024


class LiveMover(Lifecycle):
    """Implements ``contracts.LiveMoves``."""

    def check(self, spec: GuestSpec, berth: Berth, *, block: bool | None, over_commit: bool) -> LivePlan:
        domain = self.need(spec.uuid)
        power = domain.power()
        shared = berth.path == str(self.options.instances) and (self.options.instances / berth.probe).exists()
        sizes = self._sizes(spec.uuid)
        copied = not shared if block is None or not sizes else block
        objections = (
            (power not in {PowerState.RUNNING, PowerState.PAUSED}, "it does not run"),
            (berth.arch != self.arch, f"that is {berth.arch}, this {self.arch}"),
            (berth.version < self.connection.version(), "the hypervisor there is older"),
            (berth.path != str(self.options.instances), "instances_path is another one there"),
            (shared and copied, "its disks are on storage that both hosts share; they cannot be copied"),
            (not shared and not copied and sizes, "its disks are not on shared storage and were not to be copied"),
            (
                copied and not over_commit and sum(sizes.values()) > berth.free_bytes,
                f"there is room for {berth.free_bytes} bytes",
            ),
        )
        for is_so, reason in objections:
            if is_so:
                raise CannotMove(uuid=spec.uuid, host=berth.host, reason=reason)
        return LivePlan(berth=berth, block=copied, paused=power is PowerState.PAUSED, disks=sizes)

    def _sizes(self, uuid: str) -> dict[str, int]:
        disks = self.storage.folder(uuid).disks()
        return {d.path.name: self.tool.info(d.path, d.format).virtual_size for d in disks if d.role != "config"}

    def prepare(self, spec: GuestSpec, token: str, plan: LivePlan, progress: Progress) -> None:
        if not plan.block:
            return
        with self.locks.hold(spec.uuid):
            folder = self.storage.make(spec, progress)
            folder.own(self.options.host, token)
            for disk in folder.disks():
                size = plan.disks.get(disk.path.name, 0)
                if disk.role != "config" and size > self.tool.info(disk.path, disk.format).virtual_size:
                    self.tool.grow(disk.path, disk.format, size)

    def send(self, spec: GuestSpec, token: str, plan: LivePlan, report: Report) -> None:
        del token
        with self._turn(report, spec.uuid):
            domain = self.find(spec.uuid)
            if domain is None:
                return  # it has gone already
            with ThreadPoolExecutor(max_workers=1, thread_name_prefix="live") as pool:
                sending = pool.submit(domain.migrate, self._uri(plan.berth), self._migration(domain, spec, plan))
                watch = Watch(self, domain, sending, spec)
                aborted = watch.until_done(report)
            try:
                sending.result()
            except Exception:
                watch.let_run(paused=plan.paused)
                if aborted:
                    raise Aborted(uuid=spec.uuid) from None
                raise

    @functools.cached_property
    def _turns(self) -> threading.BoundedSemaphore | None:
        most = self.options.storage.max_concurrent_live_migrations
        return threading.BoundedSemaphore(most) if most else None

    def _turn(self, report: Report, uuid: str) -> "_Turn":
        return _Turn(self._turns, report, uuid)

    def _uri(self, berth: Berth) -> str:
        limits = self.options.libvirt
        where = berth.live_address or berth.host
        if limits.live_migration_uri:
            return limits.live_migration_uri.replace("%s", where)
        return f"qemu+{limits.live_migration_scheme or 'tcp'}://{where}/system"

    def _migration(self, domain: LiveDomain, spec: GuestSpec, plan: LivePlan) -> Migration:
        limits = self.options.libvirt
        address = plan.berth.live_address
        document, copied = there(domain.portable(), spec, self.options)
        return Migration(
            document=document,
            persistent=there(domain.portable(inactive=True), spec, self.options)[0],
            address=f"tcp://{address}" if address and not limits.live_migration_tunnelled else None,
            block=plan.block and bool(plan.disks),  # a guest of volumes alone has nothing to copy
            copied=copied if spec.volumes else (),
            tunnelled=limits.live_migration_tunnelled,
            tls=limits.live_migration_with_native_tls,
            post_copy=limits.live_migration_permit_post_copy,
            auto_converge=limits.live_migration_permit_auto_converge,
            connections=limits.live_migration_parallel_connections,
            bandwidth=limits.live_migration_bandwidth,
        )

    def arrived(self, spec: GuestSpec, token: str, plan: LivePlan) -> GuestState:
        with self.locks.hold(spec.uuid):
            domain = self.need(spec.uuid)
            folder = self.storage.folder(spec.uuid)
            if folder.path.exists():
                folder.own(self.options.host, token)
            Path(plan.berth.path, plan.berth.probe).unlink(missing_ok=True)
            return self.state_of(domain)

    def leave(self, uuid: str, devices: tuple[str, ...]) -> None:
        with self.locks.hold(uuid):
            self._remove(uuid, devices)


class _Turn:
    """One of the migrations that may leave the host at once; whoever waits may still be called off."""

    def __init__(self, turns: threading.BoundedSemaphore | None, report: Report, uuid: str) -> None:
        self._turns = turns
        self._report = report
        self._uuid = uuid

    def __enter__(self) -> None:
        while self._turns is not None and not self._turns.acquire(timeout=_LONGEST_INTERVAL_S):
            self._ask("queued")
        try:
            self._ask("running")
        except Aborted:
            self.__exit__()
            raise

    def _ask(self, status: str) -> None:
        if self._report({"status": status})["cancel"]:
            raise Aborted(uuid=self._uuid)

    def __exit__(self, *_error: object) -> None:
        if self._turns is not None:
            self._turns.release()


class Watch:
    """One migration while it runs."""

    def __init__(self, mover: LiveMover, domain: LiveDomain, sending: "Future[None]", spec: GuestSpec) -> None:
        self._limits = mover.options.libvirt
        self._clock = mover.clock
        self._domain = domain
        self._sending = sending
        self._gib = max(1.0, spec.memory_mb / _MIB_PER_GIB)
        self._began = mover.clock.monotonic()
        self._forced = self._aborted = False

    def until_done(self, report: Report) -> bool:
        """Whether it was called off."""
        interval = min(float(self._limits.live_migration_monitor_interval), _LONGEST_INTERVAL_S)
        told = self._began - interval
        while not self._sending.done():
            now = self._clock.monotonic()
            counters = self._counters()
            if counters and now - told >= interval:
                told = now
                wish = report(counters)
                self._obey(cancel=wish["cancel"], force=wish["force"])
            self._press(now - self._began, counters)
            self._clock.sleep(_POLL_S)
        return self._aborted

    def _counters(self) -> dict[str, int]:
        """Nothing when it cannot be told: a guest that has just gone has no job, and only the sending's end counts."""
        try:
            return self._domain.job()
        except KilonovaError:
            return {}

    def _obey(self, *, cancel: bool, force: bool) -> None:
        if cancel and not self._aborted:
            self._aborted = True
            self._domain.abort_job()
        elif force and not self._forced:
            with contextlib.suppress(KilonovaError):  # it may end in this moment, or still copy disks: next time then
                self._hurry()
                self._forced = True

    def _hurry(self) -> None:
        if self._limits.live_migration_permit_post_copy:
            self._domain.start_post_copy()
        elif self._domain.power() is PowerState.RUNNING:
            self._domain.pause()

    def _press(self, seconds: float, counters: dict[str, int]) -> None:
        """More downtime step by step; the action when it takes too long."""
        limits = self._limits
        steps = limits.live_migration_downtime_steps
        step = min(steps, 1 + int(seconds / (limits.live_migration_downtime_delay * self._gib)))
        self._domain.set_max_downtime(limits.live_migration_downtime * step // steps)
        size = max(self._gib, (counters.get("memory_total", 0) + counters.get("disk_total", 0)) / _GIB)
        if limits.live_migration_completion_timeout and seconds > limits.live_migration_completion_timeout * size:
            abort = limits.live_migration_timeout_action == "abort"
            self._obey(cancel=abort, force=not abort)

    def let_run(self, *, paused: bool) -> None:
        """The guest stays: one that we paused to get done runs on."""
        if self._forced and not paused and self._domain.power() is PowerState.PAUSED:
            self._domain.unpause()


def there(document: str, spec: GuestSpec, options: DriverOptions) -> tuple[str, tuple[str, ...]]:
    """The domain's XML as ``spec``, of the destination, wants it; and the devices of its disks that are no volumes."""
    tree: Any = ET.fromstring(document)  # noqa: S314  # see the import
    _rebridge(tree, spec.nics)
    volumes = {volume.volume_id: volume for volume in spec.volumes}
    local = []
    for disk in tree.iter("disk"):
        volume = volumes.get(disk.findtext("serial"))
        if volume is not None:
            _export(disk, volume, options)
        elif disk.get("device", "disk") == "disk":
            local.append(disk.find("target").get("dev"))
    return ET.tostring(tree, encoding="unicode"), tuple(local)


def _export(disk: Any, volume: VolumeDisk, options: DriverOptions) -> None:
    """The disk's source as the destination reaches the volume. Raises ConnectionUnsupported."""
    source, kind = source_of(options, volume)
    if source != read(xml.Disk, ET.tostring(disk, encoding="unicode")).source:
        disk.set("type", kind)
        old = disk.find("source")
        place = list(disk).index(old)
        disk.remove(old)
        disk.insert(place, ET.fromstring(write(source)))  # noqa: S314  # our own


def _rebridge(tree: Any, nics: tuple[Nic, ...]) -> None:
    bridges = {nic.mac.lower(): nic.bridge for nic in nics if nic.bridge}
    for interface in tree.iter("interface"):
        mac, source = interface.find("mac"), interface.find("source")
        bridge = bridges.get(mac.get("address", "").lower()) if mac is not None else None
        if bridge and source is not None and source.get("bridge"):
            source.set("bridge", bridge)
