"""The program, as a process of its own."""

import os
import subprocess
import sys

PROGRAM = """
import os
os.umask(0o077)
from kilonova.services import compute
print(compute.main(["--config-file", "/nowhere/nova.conf"]), oct(os.umask(0)))
"""


def test_qemus_user_can_enter_what_it_makes_whatever_the_umask_was() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout == f"{os.EX_CONFIG} 0o22\n"
    assert "/nowhere/nova.conf" in done.stderr
