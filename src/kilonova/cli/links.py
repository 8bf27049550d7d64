"""``openstack`` in any shell: a link to the one that was installed with Kilonova, unless there is another."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

PROGRAMS = ("openstack",)
FOLDER = Path("/usr/local/bin")


def make(say: Callable[[str], None], folder: Path = FOLDER, source: Path = Path(sys.executable).parent) -> None:
    """Link what PATH lacks. A link that leads nowhere, of a checkout that is gone, is made anew."""
    for name in PROGRAMS:
        link = folder / name
        if shutil.which(name) is None and (source / name).exists() and (link.is_symlink() or not link.exists()):
            link.unlink(missing_ok=True)
            link.symlink_to(source / name)
            say(f"{link} leads to this checkout's {name}")


def remove(folder: Path = FOLDER, source: Path = Path(sys.executable).parent) -> None:
    """Take away links of ours only."""
    for name in PROGRAMS:
        link = folder / name
        if link.is_symlink() and link.readlink() == source / name:
            link.unlink()
