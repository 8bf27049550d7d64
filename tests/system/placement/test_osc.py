"""The functional tests that ``osc-placement`` brings, against our service."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.system.placement.conftest import PROGRAMS

WORKER = Path(__file__).with_name("osc_worker.py")
AT_LEAST = 160
"""How many tests release 4.9.1 has, inherited ones counted each time."""


@pytest.mark.timeout(300)
def test_functional_tests_pass(service: str) -> None:
    command = [sys.executable, "-P", str(WORKER), service]
    environ = {**os.environ, "PATH": f"{PROGRAMS}:{os.environ['PATH']}"}  # one test runs ``openstack`` itself
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=290, env=environ)
    ran = re.search(r"^Ran (\d+) tests", done.stderr, re.MULTILINE)
    assert done.returncode == 0, done.stderr[-6000:]
    assert ran is not None
    assert int(ran[1]) >= AT_LEAST
