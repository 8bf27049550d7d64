"""Stacks on demand, asked of a process of its own."""

import subprocess
import sys

from kilonova.kit.diagnosis import SIGNAL

STUCK = """
import threading
from kilonova.kit import diagnosis
diagnosis.by_signal()
diagnosis.by_signal()
def waits_for_ever(lock):
    lock.acquire()
    lock.acquire()
threading.Thread(target=waits_for_ever, args=[threading.Lock()], daemon=True).start()
print("stuck", flush=True)
input()
print("went on")
"""


def test_a_process_that_is_told_to_writes_its_stacks_and_goes_on() -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", STUCK], stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "stuck\n"
        process.send_signal(SIGNAL)
        told = iter(process.stderr.readline, "")
        assert any("in waits_for_ever" in line for line in told)
        rest, _ = process.communicate("\n", timeout=10)
    assert rest == "went on\n"
    assert process.returncode == 0


def test_a_process_without_standard_error_is_left_as_it_is() -> None:
    command = "import os, sys; sys.__stderr__ = None; from kilonova.kit import diagnosis; diagnosis.by_signal()"
    assert subprocess.run([sys.executable, "-c", command], check=False).returncode == 0
