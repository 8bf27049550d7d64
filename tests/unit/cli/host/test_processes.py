import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonova.cli.host.processes import DidNotStart, Processes


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    made = Processes(tmp_path / "run", tmp_path / "log")
    yield made
    for name in made.names():
        made.stop(name, grace=2)


def test_a_process_runs_until_it_is_stopped(processes: Processes) -> None:
    pid = processes.start("sleeper", ["sleep", "60"])
    assert processes.running("sleeper") == pid
    assert processes.names() == ["sleeper"]
    assert processes.stop("sleeper")
    assert processes.running("sleeper") is None
    assert not Path(f"/proc/{pid}").exists()
    assert processes.names() == []


def test_starting_again_leaves_it_alone(processes: Processes) -> None:
    assert processes.start("sleeper", ["sleep", "60"]) == processes.start("sleeper", ["sleep", "60"])


def test_stopping_what_never_ran_is_fine(processes: Processes) -> None:
    assert not processes.stop("nothing")


def test_a_reused_pid_is_not_ours(processes: Processes, tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        try:
            (tmp_path / "run").mkdir()
            (tmp_path / "run" / "old.pid").write_text(f"{stranger.pid} 12345 another-boot\n")
            assert processes.running("old") is None
            assert not processes.stop("old")
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_a_damaged_pid_file_means_not_running(processes: Processes, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    for text in ("", "\n", "x y z\n", f"{os.getpid()}\n"):
        (tmp_path / "run" / "odd.pid").write_text(text)
        assert processes.running("odd") is None


def test_one_that_ignores_term_is_killed(processes: Processes) -> None:
    pid = processes.start("stubborn", ["sh", "-c", "trap '' TERM; echo on; exec sleep 60"])
    processes.wait("stubborn", lambda: "on" in processes.tail("stubborn"), 10)
    os.kill(pid, signal.SIGTERM)
    assert processes.running("stubborn") == pid
    assert processes.stop("stubborn", grace=0.1)
    assert not Path(f"/proc/{pid}").exists()


def test_output_goes_to_the_log_and_proxies_and_logins_stay_out(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_PASSWORD", "secret")
    monkeypatch.setenv("http_proxy", "http://proxy")
    processes.start("env", ["env"], environ={"EXTRA": "1"})
    with pytest.raises(DidNotStart, match="it ended"):
        processes.wait("env", lambda: False, 10)
    lines = processes.tail("env", 1000).splitlines()
    assert "EXTRA=1" in lines
    assert not [line for line in lines if line.startswith(("OS_PASSWORD", "http_proxy"))]


def test_an_early_end_is_told_with_the_end_of_the_log(processes: Processes) -> None:
    processes.start("broken", ["sh", "-c", "echo no database; exit 3"])
    with pytest.raises(DidNotStart, match=r"broken did not start: it ended(.|\n)*no database"):
        processes.wait("broken", lambda: False, 10)


def test_waiting_has_an_end(processes: Processes) -> None:
    processes.start("slow", ["sleep", "60"])
    with pytest.raises(DidNotStart, match=r"not ready after 0\.1 s"):
        processes.wait("slow", lambda: False, 0.1)


def test_one_that_is_not_ready_in_time_says_what_it_does(processes: Processes) -> None:
    program = "from time import sleep; from kilonova.kit import diagnosis; diagnosis.by_signal(); print(1, flush=True)"
    processes.start("stuck", [sys.executable, "-c", f"{program}; sleep(60)"])
    processes.wait("stuck", lambda: "1" in processes.tail("stuck"), 10)
    with pytest.raises(DidNotStart, match="stacks of its threads"):
        processes.wait("stuck", lambda: False, 0.1, explains=True)
    processes.wait("stuck", lambda: "most recent call first" in processes.tail("stuck"), 10)


def test_ctrl_c_while_one_is_started_leaves_none_behind(processes: Processes) -> None:
    class Interrupting(str):
        """A word that is interrupted as it is read."""

        __slots__ = ()

        def __str__(self) -> str:
            os.kill(os.getpid(), signal.SIGINT)
            return "60"

    before = signal.getsignal(signal.SIGINT)  # a shell's background jobs have none
    with pytest.raises(KeyboardInterrupt):
        processes.start("sleeper", ["sleep", Interrupting("60")])
    assert processes.running("sleeper") is not None
    assert processes.stop("sleeper")
    assert signal.getsignal(signal.SIGINT) is before
