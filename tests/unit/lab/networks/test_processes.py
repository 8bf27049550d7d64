import os
from pathlib import Path

from kilonova.lab.networks import processes


def test_write_tells_whether_the_file_changed(tmp_path: Path) -> None:
    path = tmp_path / "f"
    assert processes.write(path, "a")
    assert not processes.write(path, "a")
    assert processes.write(path, "b")
    assert path.read_text() == "b"
    assert list(tmp_path.iterdir()) == [path]


def test_a_pid_counts_only_with_our_mark_on_its_command_line(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    assert processes.running(file, "x") is None
    file.write_text("not a number")
    assert processes.running(file, "x") is None
    file.write_text(str(os.getpid()))
    assert processes.running(file, "/no/such/configuration") is None, "the pid was reused by somebody else"
    assert processes.running(file, "") == os.getpid()


def test_stopping_what_is_not_ours_only_forgets_the_pid_file(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    file.write_text(str(os.getpid()))
    processes.stop(file, "/no/such/configuration")
    assert not file.exists()


def test_this_process_has_not_ended() -> None:
    assert not processes.ended(os.getpid())
    assert processes.ended(2**22 + 1)
