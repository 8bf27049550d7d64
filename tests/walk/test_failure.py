"""A short run of tools/failure.py: what operators may run for hours."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from deployment.stack import ROOT, Stack

pytestmark = [pytest.mark.system, pytest.mark.timeout(1800)]
SHORT = ("rabbitmq-killed", "mariadb-restarted", "neutron-failing", "random-kills")


def test_nothing_is_stuck_lost_or_left_behind(core: Stack, tmp_path: Path) -> None:
    words = ("--servers", "30", "--pause", "15", "--minutes", "1", "--keep", str(tmp_path))
    command = [sys.executable, str(ROOT / "tools" / "failure.py"), *words, *SHORT]
    environment = {**os.environ, "STACK_HOME": str(core.home)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1700, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
