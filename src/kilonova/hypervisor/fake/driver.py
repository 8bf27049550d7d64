"""A driver whose guests exist only as records: for tests, benchmarks and rehearsals."""

import functools
import string
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

from kilonova.domain.power import PowerState
from kilonova.hypervisor.contracts import (
    ConsoleEndpoint,
    CpuUse,
    Diagnostics,
    DiskUse,
    GuestMissing,
    GuestSpec,
    GuestState,
    ImageFacts,
    InvalidImage,
    Nic,
    NodeFacts,
    NoSuchConsole,
    Progress,
    VolumeDisk,
)
from kilonova.hypervisor.fake.moves import FakeMoves
from kilonova.hypervisor.fake.state import Record, Usage
from kilonova.hypervisor.transitions import must_act

_TRAITS = (
    "COMPUTE_ARCH_X86_64",
    "COMPUTE_IMAGE_TYPE_QCOW2",
    "COMPUTE_IMAGE_TYPE_RAW",
    "COMPUTE_NET_VIF_MODEL_VIRTIO",
    "COMPUTE_NODE",
    "COMPUTE_RESCUE_BFV",
    "COMPUTE_STORAGE_BUS_VIRTIO",
    "HW_CPU_X86_SSE2",
)
_CPU_INFO = {
    "arch": "x86_64",
    "model": "Fake",
    "vendor": "Kilonova",
    "features": ["sse2"],
    "topology": {"sockets": 1, "cores": 1, "threads": 1},
}
_VERSION = 1_000_000
_CONSOLE_PORT, _TLS_PORT = 6969, 6970
_CONSOLES = frozenset({"novnc", "spice-html5", "spice-direct", "serial"})


class FakeDriver(FakeMoves):
    """Implements ``contracts.Driver``; safe for many threads."""

    _tell: Callable[[str], None] | None = None
    own_rescue_image: str | None = None
    """As ``[libvirt] rescue_image_id`` is for libvirt."""

    def close(self) -> None:
        """Close the state file and the screen."""
        self._guests.close()
        for screen in self._screens.values():
            screen.close()

    # Host

    def nodes(self) -> tuple[NodeFacts, ...]:
        self.faults.meet("nodes", self._host)
        usage, idle = self._guests.usage(), Usage()
        return tuple(self._facts(blank, usage.get(blank.name, idle)) for blank in self._blank_nodes)

    def guests(self) -> tuple[GuestState, ...]:
        self.faults.meet("guests", self._host)
        return tuple(record.guest() for record in self._guests.all())

    def watch(self, tell: Callable[[str], None]) -> None:
        """Implements ``contracts.Lifecycle``."""
        self._tell = tell

    def shut_itself_down(self, uuid: str) -> None:
        """What a guest does that powers itself off."""
        with self._lock(uuid):
            record = self._guests.get(uuid)
            if record is None:
                raise GuestMissing(uuid=uuid)
            self._guests.put(replace(record, power=PowerState.SHUTDOWN))
        if self._tell is not None:
            self._tell(uuid)

    def maintenance(self, *, on: bool) -> str:
        return "on_maintenance" if on else "off_maintenance"

    def host_power(self, action: str) -> str:
        return action

    def cache_image(self, image: ImageFacts, progress: Progress) -> bool:
        self.faults.meet("cache_image", self._host)
        progress(f"keeping image {image.id}")
        new = image.id not in self.cached
        self.cached.add(image.id)
        return new

    @functools.cached_property
    def _blank_nodes(self) -> tuple[NodeFacts, ...]:
        return tuple(
            NodeFacts(
                name=name,
                uuid=str(uuid5(NAMESPACE_DNS, f"{name}.fake.kilonova")),
                hypervisor_type="fake",
                hypervisor_version=_VERSION,
                host_ip=self._address,
                vcpus=self._options.vcpus,
                memory_mb=self._options.memory_mb,
                disk_gb=self._options.disk_gb,
                free_disk_gb=self._options.disk_gb,
                cpu_info=_CPU_INFO,
                supported=(("x86_64", "fake", "hvm"),),
                traits=_TRAITS,
                uptime=" 00:00:00 up 1 day, 0:00,  0 users,  load average: 0.00, 0.00, 0.00",
            )
            for name in self._names
        )

    @staticmethod
    def _facts(blank: NodeFacts, used: Usage) -> NodeFacts:
        if not used.guests:
            return blank
        return replace(
            blank,
            vcpus_used=used.vcpus,
            memory_used_mb=used.memory_mb,
            disk_used_gb=used.disk_gb,
            free_disk_gb=blank.disk_gb - used.disk_gb,
            running_guests=used.guests,
        )

    # Guests

    def create(self, spec: GuestSpec, progress: Progress) -> GuestState:
        self.faults.meet("create", self._host, spec.display_name)
        with self._lock(spec.uuid):
            found = self._guests.get(spec.uuid)
            if found is not None and found.power in {PowerState.RUNNING, PowerState.PAUSED}:
                return found.guest()
            return self._make(spec, progress)

    def _make(self, spec: GuestSpec, progress: Progress) -> GuestState:
        image = spec.image
        if image is not None and 0 < spec.root_gb < image.min_disk_gb:
            reason = f"it needs {image.min_disk_gb} GiB, the root disk has {spec.root_gb}"
            raise InvalidImage(image_id=image.id, reason=reason)
        node = self._node(spec)
        progress("starting the guest")
        return self._keep(Record.of(spec, node))

    def rebuild(self, spec: GuestSpec, *, keep_ephemeral: bool, progress: Progress) -> GuestState:  # noqa: ARG002  # nothing is kept
        self.faults.meet("rebuild", self._host, spec.display_name)
        with self._lock(spec.uuid):
            return self._make(spec, progress)

    def destroy(self, uuid: str) -> None:
        found = self._guests.get(uuid)
        self.faults.meet("destroy", self._host, found.display_name if found else "")
        with self._lock(uuid):
            self._guests.drop(uuid)

    def state(self, uuid: str) -> GuestState:
        return self._need("state", uuid).guest()

    # Power

    def start(self, spec: GuestSpec) -> GuestState:
        self._move("start", spec.uuid, PowerState.RUNNING)
        return self._share(spec.uuid, tuple(share.tag for share in spec.shares))

    def stop(self, uuid: str, timeout: int) -> GuestState:  # noqa: ARG002  # a pretended guest shuts down at once
        self._move("stop", uuid, PowerState.SHUTDOWN)
        return self._share(uuid, ())

    def _share(self, uuid: str, tags: tuple[str, ...]) -> GuestState:
        with self._lock(uuid):
            record = self._guests.get(uuid)
            if record is None:
                raise GuestMissing(uuid=uuid)
            return record.guest() if record.shares == tags else self._keep(replace(record, shares=tags))

    def shares(self, uuid: str) -> tuple[str, ...]:
        """Tags of what a guest can mount, for those who check."""
        return self._need("shares", uuid).shares

    def reboot(self, spec: GuestSpec, *, hard: bool, timeout: int) -> GuestState:  # noqa: ARG002  # as in stop
        return self._move("reboot", spec.uuid, PowerState.RUNNING, "reboot_hard" if hard else "reboot_soft")

    def pause(self, uuid: str) -> GuestState:
        return self._move("pause", uuid, PowerState.PAUSED)

    def unpause(self, uuid: str) -> GuestState:
        return self._move("unpause", uuid, PowerState.RUNNING)

    def suspend(self, uuid: str) -> GuestState:
        return self._move("suspend", uuid, PowerState.SUSPENDED)

    def resume(self, spec: GuestSpec) -> GuestState:
        return self._move("resume", spec.uuid, PowerState.RUNNING)

    # Devices

    def connector(self) -> Mapping[str, Any]:
        self.faults.meet("connector", self._host)
        return {"host": self._host, "ip": self._address, "initiator": f"iqn.2026-01.fake:{self._host}"}

    def attach_volume(self, spec: GuestSpec, volume: VolumeDisk) -> None:
        self._need("attach_volume", spec.uuid)
        self._hold(spec.uuid, {volume.volume_id: 0})

    def detach_volume(self, uuid: str, volume: VolumeDisk) -> None:
        found = self._guests.get(uuid)
        self.faults.meet("detach_volume", self._host, found.display_name if found else "")
        if found is not None:
            self._hold(uuid, {}, without=volume.volume_id)

    def swap_volume(self, uuid: str, old: VolumeDisk, new: VolumeDisk) -> None:
        if old.volume_id in self._need("swap_volume", uuid).volumes:
            self._hold(uuid, {new.volume_id: 0}, without=old.volume_id)

    def extend_volume(self, uuid: str, volume: VolumeDisk, size_gb: int) -> None:
        self._need("extend_volume", uuid)
        self._hold(uuid, {volume.volume_id: size_gb})

    def snapshot_volume(self, uuid: str, volume: VolumeDisk, new_file: str) -> Mapping[str, Any]:
        must_act("snapshot_volume", uuid, self._need("snapshot_volume", uuid).power)
        return {**_data(volume), "device_path": new_file, "format": "qcow2"}

    def merge_volume(self, uuid: str, volume: VolumeDisk, top: str | None, into: str | None) -> Mapping[str, Any]:  # noqa: ARG002  # nothing is stored
        must_act("merge_volume", uuid, self._need("merge_volume", uuid).power)
        return _data(volume)

    def volumes(self, uuid: str) -> Mapping[str, int]:
        """What a guest has, for those who check."""
        return self._need("volumes", uuid).volumes

    def _hold(self, uuid: str, more: Mapping[str, int], *, without: str | None = None) -> None:
        with self._lock(uuid):
            record = self._guests.get(uuid)
            if record is None:
                raise GuestMissing(uuid=uuid)
            kept = {volume: size for volume, size in record.volumes.items() if volume != without}
            self._keep(replace(record, volumes={**kept, **more}))

    def attach_nic(self, spec: GuestSpec, nic: Nic) -> None:
        self._need("attach_nic", spec.uuid)
        with self._lock(spec.uuid):
            record = self._guests.get(spec.uuid)
            if record is None:
                raise GuestMissing(uuid=spec.uuid)
            if nic.mac not in record.macs:
                self._keep(replace(record, macs=(*record.macs, nic.mac)))

    def detach_nic(self, uuid: str, mac: str) -> None:
        found = self._guests.get(uuid)
        self.faults.meet("detach_nic", self._host, found.display_name if found else "")
        with self._lock(uuid):
            record = self._guests.get(uuid)
            if record is not None and mac in record.macs:
                self._keep(replace(record, macs=tuple(m for m in record.macs if m != mac)))

    def macs(self, uuid: str) -> tuple[str, ...]:
        """What is plugged into a guest, for those who check."""
        return self._need("macs", uuid).macs

    def ephemerals(self, uuid: str) -> tuple[int, ...]:
        """GiB of the local disks of a guest that started empty, for those who check."""
        return self._need("ephemerals", uuid).ephemerals

    # Rescue, and what happens inside

    def rescue(self, spec: GuestSpec, image: ImageFacts, progress: Progress) -> GuestState:
        record = self._need("rescue", spec.uuid)
        progress("starting the guest from the rescue disk")
        with self._lock(spec.uuid):
            return self._keep(replace(record, power=PowerState.RUNNING, boots=record.boots + 1, rescue_image=image.id))

    def rescue_image(self) -> str | None:
        return self.own_rescue_image

    def rescued_from(self, uuid: str) -> str | None:
        """The image a guest is rescued from, for those who check."""
        return self._need("rescued_from", uuid).rescue_image

    def unrescue(self, spec: GuestSpec) -> GuestState:
        record = self._need("unrescue", spec.uuid)
        with self._lock(spec.uuid):
            return self._keep(replace(record, power=PowerState.RUNNING, boots=record.boots + 1, rescue_image=None))

    def diagnostics(self, uuid: str) -> Diagnostics:
        record = self._need("diagnostics", uuid)
        must_act("diagnostics", uuid, record.power)
        return Diagnostics(
            driver="libvirt",  # a type that clients know: their schemas list the drivers
            hypervisor="fake",
            power=record.power,
            memory_max_mb=record.memory_mb,
            memory_used_mb=0,
            cpus=tuple(CpuUse(id=number, time=0) for number in range(record.vcpus)),
            disks=tuple(
                DiskUse(device=f"vd{letter}", volume_id=volume, **_NO_USE)
                for letter, volume in zip(string.ascii_lowercase, (None, *record.volumes), strict=False)
            ),
            memory={"actual": record.memory_mb * 1024},
        )

    def inject_nmi(self, uuid: str) -> None:
        must_act("inject_nmi", uuid, self._need("inject_nmi", uuid).power)

    def set_password(self, uuid: str, user: str, password: str) -> None:  # noqa: ARG002  # a pretended guest has no users
        must_act("set_password", uuid, self._need("set_password", uuid).power)

    # Snapshots and consoles

    def snapshot(self, uuid: str, image_id: str, progress: Progress) -> None:
        record = self._need("snapshot", uuid)
        progress("uploading the snapshot")
        if self._images is not None:
            with tempfile.NamedTemporaryFile(prefix="kilonova-fake-") as file:
                file.write(f"root disk of {record.name}\n".encode())
                file.flush()
                self._images.upload(image_id, Path(file.name), "raw")

    def output(self, uuid: str, limit: int) -> bytes:
        record = self._need("output", uuid)
        guest = f"{record.name} {record.display_name}"
        rest = f"{guest}: {record.vcpus} vCPUs, {record.memory_mb} MiB\n{guest}: ready\n"
        text = "".join(f"{guest}: boot {number}\n{rest}" for number in range(1, record.boots + 1)).encode()
        return text[-limit:] if limit > 0 else b""

    def endpoint(self, uuid: str, kind: str) -> ConsoleEndpoint:
        record = self._need("endpoint", uuid)
        if kind not in _CONSOLES:
            raise NoSuchConsole(kind=kind)
        must_act("console", uuid, record.power)
        screen = self._screens.get(kind)
        port = screen.port if screen else _CONSOLE_PORT
        tls = _TLS_PORT if kind == "spice-direct" else None
        return ConsoleEndpoint(kind=kind, host=self._address, port=port, tls_port=tls)

    # Own

    def _need(self, call: str, uuid: str) -> Record:
        record = self._guests.get(uuid)
        self.faults.meet(call, self._host, record.display_name if record else "")
        record = self._guests.get(uuid)
        if record is None:
            raise GuestMissing(uuid=uuid)
        return record

    def _recall(self, uuid: str) -> None:
        """A guest that was set aside for a move that failed is found again."""
        aside = self._aside(uuid)
        if aside is not None and self._guests.get(uuid) is None:
            self._guests.put(replace(aside, aside=False))
            self._guests.drop(aside.key)

    def _keep(self, record: Record) -> GuestState:
        self._guests.put(record)
        return record.guest()

    def _move(self, call: str, uuid: str, to: PowerState, rule: str | None = None) -> GuestState:
        if call in {"start", "reboot"}:
            self._recall(uuid)
        self._need(call, uuid)  # slowness and failures come before the lock
        with self._lock(uuid):
            record = self._guests.get(uuid)
            if record is None:
                raise GuestMissing(uuid=uuid)
            if not must_act(rule or call, uuid, record.power):
                return record.guest()
            booted = call in {"start", "reboot"}
            return self._keep(replace(record, power=to, boots=record.boots + booted))


_NO_USE = dict.fromkeys(("read_bytes", "read_requests", "write_bytes", "write_requests", "errors"), 0)


def _data(volume: VolumeDisk) -> dict[str, Any]:
    return dict(volume.connection.get("data") or {})
