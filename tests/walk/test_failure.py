"""Short runs of tools/failure.py: what operators may run for hours."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from deployment.stack import ROOT, Stack
from tests.walk.conftest import Up

pytestmark = [pytest.mark.system, pytest.mark.timeout(1800)]
SHORT = ("rabbitmq-killed", "mariadb-killed", "random-kills")
WITH_REAL = ("--real", "neutron-gone", "cinder-failing")


def failures(stack: Stack, keep: Path, *words: str) -> None:
    measure = ("--servers", "30", "--pause", "15", "--minutes", "1", "--keep", str(keep))
    command = [sys.executable, str(ROOT / "tools" / "failure.py"), *measure, *words]
    environment = {**os.environ, "STACK_HOME": str(stack.home)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1700, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]


def test_nothing_is_stuck_lost_or_left_behind(core: Stack, tmp_path: Path) -> None:
    failures(core, tmp_path, *SHORT)


def test_nor_with_the_real_neutron_and_cinder(neighbours: Up, tmp_path: Path) -> None:
    failures(neighbours("net", "volume"), tmp_path, *WITH_REAL)
