"""What a group of checks is handed, and what it answers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from kilonova.cli.upgrade_check import Result
from kilonova.kit.options import Configuration


class Role(StrEnum):
    """What this machine is for."""

    CONTROLLER = "controller"
    COMPUTE = "compute"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. Whatever is not well has a ``fix``: what to do about it."""

    name: str
    words: str = ""
    result: Result = Result.SUCCESS
    fix: str = ""


def doubtful(name: str, words: str, fix: str) -> Finding:
    """It works, but hardly as meant."""
    return Finding(name, words, Result.WARNING, fix)


def broken(name: str, words: str, fix: str) -> Finding:
    """It does not work."""
    return Finding(name, words, Result.FAILURE, fix)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Patient:
    """The machine and its configuration."""

    configuration: Configuration
    role: Role
    now: Callable[[], datetime] = field(default=_now)

    @property
    def controls(self) -> bool:
        """API, scheduler and conductor run here."""
        return self.role is not Role.COMPUTE

    @property
    def hosts(self) -> bool:
        """Guests run here."""
        return self.role is not Role.CONTROLLER

    @property
    def is_lab(self) -> bool:
        """The cloud of ``kilonova up``: everything is on this machine, and in one process."""
        return "lab" in self.configuration.groups()

    def given(self, section: str, option: str) -> str | None:
        """An option's text as the files have it."""
        found = self.configuration.values(section).get(option)
        return None if found is None else str(found)


Group = Callable[[Patient], Iterator[Finding]]
"""Yields a finding for each thing it looked at. Raises KilonovaError where it cannot go on."""
