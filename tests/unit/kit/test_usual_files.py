"""What another user than root sees, in a process that has become one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kilonova.kit.usual_files import closed, readable

AS_NOBODY = """
import os, sys
from pathlib import Path
from kilonova.kit.usual_files import closed, readable
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
folder = Path(sys.argv[1])
print(closed(folder))
print(readable(folder / "nova.conf"))
"""
root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """``nova`` with a configuration, in a place that everybody may enter."""
    made = tmp_path / "nova"
    made.mkdir()
    made.chmod(0o755)
    (made / "nova.conf").write_text("[DEFAULT]\n")
    (made / "nova.conf").chmod(0o644)
    for place in (made, tmp_path, *tmp_path.parents):
        if not place.stat().st_mode & 0o001:
            place.chmod(place.stat().st_mode | 0o001)
    return made


def nobody(folder: Path) -> list[str]:
    command = [sys.executable, "-c", AS_NOBODY, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_what_can_be_read_or_is_not_there_is_no_reason_to_complain(folder: Path) -> None:
    assert closed(folder) is None
    assert readable(folder / "nova.conf")
    assert closed(folder / "nowhere") is None
    assert not readable(folder / "nowhere" / "nova.conf")


@root
def test_others_may_read_an_open_place(folder: Path) -> None:
    assert nobody(folder) == ["None", "True"]


@root
def test_a_closed_directory_is_named_with_the_fix(folder: Path) -> None:
    folder.chmod(0o750)
    assert nobody(folder) == [
        f"{folder} may not be read by nobody; run this as root or as the user of the services",
        "False",
    ]


@root
def test_so_is_a_closed_file(folder: Path) -> None:
    (folder / "nova.conf").chmod(0o640)
    why, can = nobody(folder)
    assert why.startswith(f"{folder / 'nova.conf'} may not be read by nobody")
    assert can == "False"
