"""Keeps commands from harming each other or the machine: root, one command at a time, one cloud, own directories."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from kilonova.kit.errors import Unavailable

MACHINE = Path("/run/kilonova")
"""Cleared at each boot: a lock, and the state directory of the cloud whose bridges and firewall rules are here."""
_MARK = "kilonova.json"


class NeedsRoot(Unavailable):
    """Started by a plain user."""

    template = "`kilonova {command}` needs root, for bridges, firewall rules and virtual machines; run it with sudo"


class Busy(Unavailable):
    """Another ``kilonova up`` or ``down`` is at work."""

    template = "Another `kilonova up` or `kilonova down` is at work on this machine; wait for it to end"


class AnotherCloud(Unavailable):
    """Two clouds would remove each other's bridges."""

    template = "Another cloud is up on this machine; stop it first: kilonova down --state {state}"


class NotOurs(Unavailable):
    """A directory with other things in it."""

    template = "{state} holds other things than a Kilonova cloud; choose another directory with --state"


@contextmanager
def alone(command: str, machine: Path = MACHINE) -> Iterator[None]:
    """Hold the machine for one command. Raises NeedsRoot, Busy."""
    if os.geteuid() != 0:
        raise NeedsRoot(command=command)
    machine.mkdir(parents=True, exist_ok=True)
    with (machine / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy from error
        yield


def take(state: Path, machine: Path = MACHINE) -> None:
    """Make ``state`` the cloud of this machine. Raises AnotherCloud, NotOurs."""
    other = current(machine)
    if other is not None and other != state:
        raise AnotherCloud(state=other)
    check(state)
    state.mkdir(parents=True, exist_ok=True)
    remember(state, {})
    (machine / "state").write_text(f"{state}\n")


def current(machine: Path = MACHINE) -> Path | None:
    """The state directory of the cloud on this machine that was not stopped since boot."""
    try:
        found = Path((machine / "state").read_text().strip())
    except FileNotFoundError:
        return None
    return found if (found / _MARK).exists() else None


def release(state: Path, machine: Path = MACHINE) -> None:
    """Its parts are gone from this machine."""
    if current(machine) in {state, None}:
        with suppress(FileNotFoundError):
            (machine / "state").unlink()


def check(state: Path) -> None:
    """Raises NotOurs where ``state`` exists and is anything but empty or ours."""
    if state.exists() and not (state.is_dir() and ((state / _MARK).exists() or not any(state.iterdir()))):
        raise NotOurs(state=state)


def forget(state: Path) -> None:
    """Remove the directory. Raises NotOurs."""
    check(state)
    shutil.rmtree(state, ignore_errors=True)


def remembered(state: Path) -> dict[str, Any]:
    """What earlier commands were told: ``port_offset``, ``clouds_files``."""
    try:
        found: dict[str, Any] = json.loads((state / _MARK).read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found


def remember(state: Path, facts: Mapping[str, Any]) -> None:
    """Add to what is remembered."""
    made = state / f"{_MARK}.new"
    made.write_text(json.dumps({**remembered(state), **facts}))
    made.replace(state / _MARK)
