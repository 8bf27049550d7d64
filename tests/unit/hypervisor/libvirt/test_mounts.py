from pathlib import Path

import pytest

from kilonova.hypervisor.contracts import GuestShare, GuestSpec, HypervisorFailed
from kilonova.hypervisor.libvirt.mounts import NfsMounter, Shares

UUID = "7d0f3bd1-0000-4000-8000-000000000001"
A, B = (f"7d0f3bd1-0000-4000-8000-00000000000{n}" for n in "ab")


class Directories:
    """Stands for mounting: a file tells what is mounted."""

    def mount(self, export: str, target: Path) -> None:
        (target / "export").write_text(export)

    def unmount(self, target: Path) -> None:
        (target / "export").unlink(missing_ok=True)


def test_a_guests_shares_come_and_go_as_often_as_asked(tmp_path: Path) -> None:
    shares = Shares(tmp_path / "mnt", Directories())
    wanted = tuple(GuestShare(share_id=name, tag=name, export=f"192.0.2.50:/{name}") for name in (A, B))
    spec = GuestSpec(
        uuid=UUID,
        name="i",
        display_name="i",
        project_id="p",
        user_id="u",
        flavor_name="f",
        vcpus=1,
        memory_mb=1,
        root_gb=1,
        shares=wanted,
    )
    for _time in range(2):
        shares.mount(spec)
    assert [(shares.path(UUID, n) / "export").read_text() for n in (A, B)] == [f"192.0.2.50:/{n}" for n in (A, B)]
    for _time in range(2):
        shares.unmount(UUID)
    assert list((tmp_path / "mnt").iterdir()) == []


def test_what_cannot_be_mounted_is_told(tmp_path: Path) -> None:
    mounter = NfsMounter("host1")
    mounter.unmount(tmp_path)
    with pytest.raises(HypervisorFailed, match="host1"):
        mounter.mount("nowhere", tmp_path / "missing")


@pytest.mark.parametrize("evil", ["../../etc", "..", "", "/etc", "a"])
def test_ids_that_are_paths_are_refused(tmp_path: Path, evil: str) -> None:
    shares = Shares(tmp_path / "mnt", Directories())
    for call in (lambda: shares.path(UUID, evil), lambda: shares.path(evil, UUID), lambda: shares.unmount(evil)):
        with pytest.raises(ValueError, match="UUID"):
            call()
