import os
from pathlib import Path

import pytest

from kilonova.cli import lab_claim
from kilonova.cli.lab_claim import AnotherCloud, Busy, NeedsRoot, NotOurs

root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@root
def test_one_at_a_time(tmp_path: Path) -> None:
    with lab_claim.alone("up", tmp_path), pytest.raises(Busy), lab_claim.alone("down", tmp_path):
        pass
    with lab_claim.alone("down", tmp_path):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="for plain users")
def test_plain_users_are_told(tmp_path: Path) -> None:
    with pytest.raises(NeedsRoot, match="`kilonova up` needs root"), lab_claim.alone("up", tmp_path):
        pass


def test_a_machine_has_room_for_one(tmp_path: Path) -> None:
    machine = tmp_path / "run"
    machine.mkdir()
    one, two = tmp_path / "one", tmp_path / "two"
    assert lab_claim.current(machine) is None
    lab_claim.take(one, machine)
    lab_claim.take(one, machine)
    assert lab_claim.current(machine) == one
    with pytest.raises(AnotherCloud, match=f"kilonova down --state {one}"):
        lab_claim.take(two, machine)
    assert not two.exists()
    lab_claim.release(two, machine)
    assert lab_claim.current(machine) == one
    lab_claim.release(one, machine)
    lab_claim.take(two, machine)
    assert lab_claim.current(machine) == two


def test_a_directory_that_someone_deleted_counts_not(tmp_path: Path) -> None:
    machine = tmp_path / "run"
    machine.mkdir()
    lab_claim.take(tmp_path / "one", machine)
    lab_claim.forget(tmp_path / "one")
    assert lab_claim.current(machine) is None


def test_directories_of_others_are_safe(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "letter").write_text("dear")
    with pytest.raises(NotOurs, match="theirs holds other things"):
        lab_claim.take(theirs, tmp_path)
    with pytest.raises(NotOurs):
        lab_claim.forget(theirs)
    with pytest.raises(NotOurs):
        lab_claim.check(theirs / "letter")
    assert (theirs / "letter").exists()
    (tmp_path / "empty").mkdir()
    lab_claim.check(tmp_path / "empty")
    lab_claim.check(tmp_path / "absent")


def test_remembers(tmp_path: Path) -> None:
    assert lab_claim.remembered(tmp_path) == {}
    lab_claim.remember(tmp_path, {"port_offset": 5})
    lab_claim.remember(tmp_path, {"clouds_files": ["/a"]})
    assert lab_claim.remembered(tmp_path) == {"port_offset": 5, "clouds_files": ["/a"]}
    (tmp_path / "kilonova.json").write_text("{half")
    assert lab_claim.remembered(tmp_path) == {}
