import random
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from tests.unit.hypervisor.libvirt.test_options import PLAIN

from kilonova.hypervisor.contracts import GuestMissing
from kilonova.hypervisor.libvirt.builders.plan import DiskFile
from kilonova.hypervisor.libvirt.folder import GuestFolder, Storage
from kilonova.hypervisor.libvirt.snapshots import staging


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


def _evil(count: int) -> list[str]:
    """Ids that are none, made of what means something in paths, and of a real one with that in it."""
    random.seed(7)
    good = str(uuid.uuid4())
    made = ["", ".", "..", "/", "/etc/passwd", f"../{good}", f"{good}/..", f"{good}/../../x", f"{good}\0", f"{good}\n"]
    parts = ["..", "/", ".", "\0", "%2e", "\\", "~", "$HOME", "*", good, good[:8], "{", "}", "-", "a", "0"]
    return made + ["".join(random.choices(parts, k=random.randint(1, 6))) for _ in range(count)]


def test_no_id_leads_out_of_the_folder_of_guests() -> None:
    storage = Storage(PLAIN, cast("Any", None), cast("Any", None))
    ways: list[Callable[[str], Path]] = [
        lambda ident: storage.folder(ident).path,
        lambda ident: storage.aside(ident).path,
        lambda ident: staging(PLAIN.instances, ident),
    ]
    led = 0
    for ident in _evil(3000):
        for way in ways:
            try:
                path = way(ident)
            except (GuestMissing, ValueError):
                continue
            led += 1
            assert path.parent == PLAIN.instances, ident
            assert str(uuid.UUID(path.name.removesuffix("_resize"))) == path.name.removesuffix("_resize"), ident
    assert led, "some of them are a UUID in other clothes"


@pytest.mark.parametrize("ident", ["..", "../x", "", "x"])
def test_what_is_no_uuid_is_no_guest(ident: str) -> None:
    with pytest.raises(GuestMissing):
        Storage(PLAIN, cast("Any", None), cast("Any", None)).folder(ident)
