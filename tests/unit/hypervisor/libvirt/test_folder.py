import uuid
from pathlib import Path

from kilonova.hypervisor.libvirt.builders.plan import DiskFile
from kilonova.hypervisor.libvirt.folder import GuestFolder


def test_the_disks_that_exist_come_in_the_guests_order(tmp_path: Path) -> None:
    folder = GuestFolder(tmp_path)
    for path in (folder.config, folder.swap, folder.root):
        path.touch()
    assert folder.disks() == (
        DiskFile(path=folder.root, format="qcow2", role="root"),
        DiskFile(path=folder.swap, format="raw", role="swap"),
        DiskFile(path=folder.config, format="raw", role="config"),
    )


def test_a_raw_root_disk_is_never_taken_for_qcow2(tmp_path: Path) -> None:
    folder = GuestFolder(tmp_path)
    folder.root.write_bytes(b"QFI\xfb")  # a guest may write what it likes
    folder.raw_marker.touch()
    assert [d.format for d in folder.disks()] == ["raw"]


def test_removing_may_be_repeated(tmp_path: Path) -> None:
    folder = GuestFolder(tmp_path / str(uuid.uuid4()))
    folder.path.mkdir()
    folder.root.touch()
    folder.remove()
    folder.remove()
    assert not folder.path.exists()
