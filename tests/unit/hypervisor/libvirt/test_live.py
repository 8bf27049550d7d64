"""How a guest is described to the host it is sent to."""

from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from kilonova.hypervisor.contracts import GuestSpec, HypervisorFailed, Nic, VolumeDisk
from kilonova.hypervisor.libvirt.connection import Migration
from kilonova.hypervisor.libvirt.live import Watch, there
from kilonova.hypervisor.libvirt.options import (
    DriverOptions,
    GuestDisplayOptions,
    LibvirtOptions,
    StorageOptions,
)
from kilonova.kit.clock import ManualClock

DOMAIN = """<domain><devices>
<disk type="file" device="disk"><source file="/i/disk"/><target dev="vda" bus="virtio"/></disk>
<disk type="file" device="cdrom"><source file="/i/disk.config"/><target dev="hda" bus="ide"/></disk>
<disk type="file" device="disk"><driver name="qemu" type="raw"/><source file="/here/1" index="2"/>
<target dev="vdb" bus="virtio"/><serial>vol-1</serial></disk>
<disk type="network" device="disk"><source protocol="rbd" name="p/2" index="3"><host name="m" port="1"/></source>
<target dev="vdc" bus="virtio"/><serial>vol-2</serial></disk>
<interface type="bridge"><mac address="fa:16:3e:00:00:01"/><source bridge="old"/></interface>
</devices></domain>"""


def options(**libvirt: Any) -> DriverOptions:
    return DriverOptions(
        host="host1",
        address="127.0.0.1",
        state_path=Path("/nowhere"),
        libvirt=LibvirtOptions(**libvirt),
        vnc=GuestDisplayOptions(),
        storage=StorageOptions(),
    )


SPEC = GuestSpec(
    uuid="aaaaaaaa-2222-4333-8444-555555555555",
    name="instance-1",
    display_name="web",
    project_id="p",
    user_id="u",
    flavor_name="m1.nano",
    vcpus=1,
    memory_mb=32,
    root_gb=1,
)


@dataclass
class Leaving:
    """A guest whose migration copies disks at first, and whose memory only follows it."""

    sending: "Future[None]"
    asked: int = 0

    def job(self) -> dict[str, int]:
        return {"memory_total": 1}

    def set_max_downtime(self, _milliseconds: int) -> None:
        pass

    def start_post_copy(self) -> None:
        self.asked += 1
        if self.asked < 3:
            raise HypervisorFailed(call="post-copy", host="host1", reason="not yet")
        self.sending.set_result(None)


def test_post_copy_that_is_not_possible_yet_is_tried_again() -> None:
    sending: Future[None] = Future()
    domain = Leaving(sending)
    mover: Any = SimpleNamespace(options=options(live_migration_permit_post_copy=True), clock=ManualClock())
    watch = Watch(mover, domain, sending, SPEC)  # type: ignore[arg-type]
    assert not watch.until_done(lambda _counters: {"cancel": False, "force": True})
    assert domain.asked == 3


def test_volumes_are_where_the_destination_has_them_and_are_not_copied() -> None:
    rbd = {"name": "p/2", "hosts": ["m"], "ports": ["1"]}
    spec = replace(
        SPEC,
        nics=(
            Nic(
                port_id="port",
                network_id="network",
                label="private",
                mac="FA:16:3E:00:00:01",
                vif_type="bridge",
                devname="tap1",
                bridge="new",
            ),
        ),
        volumes=(
            VolumeDisk(
                volume_id="vol-1",
                connection={"driver_volume_type": "local", "data": {"device_path": "/there/1"}},
                device_name="/dev/vdb",
            ),
            VolumeDisk(
                volume_id="vol-2", connection={"driver_volume_type": "rbd", "data": rbd}, device_name="/dev/vdc"
            ),
        ),
    )
    document, copied = there(DOMAIN, spec, options())
    assert copied == ("vda",)
    assert '<source file="/there/1" />' in document
    assert "/here/1" not in document
    assert 'name="p/2" index="3"' in document  # the same there: left alone
    assert '<source bridge="new" />' in document
    sent = Migration(document=document, persistent=document, block=True, copied=copied)
    assert sent.parameters()["migrate_disks"] == ["vda"]
    assert "migrate_disks" not in Migration(document=document, persistent=document, block=True).parameters()
