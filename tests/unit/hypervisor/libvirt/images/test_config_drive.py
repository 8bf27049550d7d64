import base64
import io
from pathlib import Path

import pycdlib
import pytest

from kilonova.hypervisor.contracts import HypervisorFailed
from kilonova.hypervisor.libvirt.images.config_drive import write


def encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def read(path: Path, **name: str) -> bytes:
    iso = pycdlib.PyCdlib()
    iso.open(str(path))
    stream = io.BytesIO()
    iso.get_file_from_iso_fp(stream, **name)
    iso.close()
    return stream.getvalue()


FILES = {
    "openstack/latest/meta_data.json": encode(b'{"uuid": "x"}'),
    "openstack/2012-08-10/meta_data.json": encode(b"{}"),
    "openstack/content/0000": encode(b"\x00\xff" * 5000),
    "ec2/latest/empty": encode(b""),
}


@pytest.mark.parametrize("names", ["rr_path", "joliet_path"])
def test_files_are_found_by_their_names(tmp_path: Path, names: str) -> None:
    target = tmp_path / "disk.config"
    write(FILES, target)
    assert read(target, **{names: "/openstack/latest/meta_data.json"}) == b'{"uuid": "x"}'
    assert read(target, **{names: "/openstack/2012-08-10/meta_data.json"}) == b"{}"
    assert read(target, **{names: "/openstack/content/0000"}) == b"\x00\xff" * 5000
    assert read(target, **{names: "/ec2/latest/empty"}) == b""


def test_the_drive_has_the_label_cloud_init_looks_for(tmp_path: Path) -> None:
    target = tmp_path / "disk.config"
    write(FILES, target)
    with target.open("rb") as stream:
        stream.seek(16 * 2048 + 40)
        assert stream.read(32).strip() == b"config-2"


def test_it_replaces_an_earlier_one(tmp_path: Path) -> None:
    target = tmp_path / "disk.config"
    write({"a": encode(b"first")}, target)
    write({"a": encode(b"second")}, target)
    assert read(target, rr_path="/a") == b"second"
    assert [p.name for p in tmp_path.iterdir()] == ["disk.config"]


@pytest.mark.parametrize("files", [{"a": "not base64!"}, {"../a": encode(b"x")}])
def test_bad_content_makes_no_drive(tmp_path: Path, files: dict[str, str]) -> None:
    with pytest.raises(HypervisorFailed, match="config drive"):
        write(files, tmp_path / "disk.config")
    assert list(tmp_path.iterdir()) == []
