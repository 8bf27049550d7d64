from pathlib import Path

import pytest

from kilonova.cli import links


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for name in ("bin", "venv"):
        (tmp_path / name).mkdir()
    (tmp_path / "venv" / "openstack").touch(0o755)
    return tmp_path / "venv"


def test_links_what_path_lacks_and_removes_it(source: Path) -> None:
    folder = source.parent / "bin"
    said: list[str] = []
    links.make(said.append, folder, source)
    assert (folder / "openstack").readlink() == source / "openstack"
    links.make(said.append, folder, source)
    assert len(said) == 1
    links.remove(folder, source)
    assert list(folder.iterdir()) == []


def test_a_link_that_leads_nowhere_is_made_anew(source: Path) -> None:
    link = source.parent / "bin" / "openstack"
    link.symlink_to("/nowhere/openstack")
    links.make(print, link.parent, source)
    assert link.readlink() == source / "openstack"


def test_others_programs_stay(source: Path) -> None:
    program = source.parent / "bin" / "openstack"
    program.touch(0o755)
    links.make(print, program.parent, source)
    links.remove(program.parent, source)
    assert program.exists()
    assert not program.is_symlink()
