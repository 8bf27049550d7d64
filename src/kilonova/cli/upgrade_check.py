"""``… upgrade check``: what must be seen to before or after an upgrade, as a table and an exit code."""

import argparse
import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from kilonova.cli.table import table
from kilonova.kit import codec, logs
from kilonova.kit.errors import KilonovaError

_CANNOT = 255
_WRAPPED = 60
"""Columns of details."""


class Result(IntEnum):
    """The exit code of the whole is that of its worst check."""

    SUCCESS = 0
    WARNING = 1
    FAILURE = 2


@dataclass(frozen=True, slots=True)
class Check:
    """One answer. ``details`` say what to do about anything but success."""

    name: str
    result: Result = Result.SUCCESS
    details: str | None = None


def report(checks: Sequence[Check]) -> str:
    """The table, in the form that deployment tools read: one column, three lines and more a check."""
    blocks = [[f"Check: {c.name}", f"Result: {c.result.name.capitalize()}", *_details(c)] for c in checks]
    width = max(len(line) for block in blocks for line in block)
    head, *rest = table(["Upgrade Check Results".ljust(width)], [["".ljust(width)]]).splitlines()
    rule = rest[1]
    lines = [head, rest[0], rule]
    for block in blocks:
        lines += [f"| {line:{width}} |" for line in block]
        lines.append(rule)
    return "\n".join(lines)


def _details(check: Check) -> list[str]:
    """In lines that fit a terminal; the first alone begins with the word."""
    first, *rest = textwrap.wrap(check.details or "None", _WRAPPED, subsequent_indent="  ")
    return [f"Details: {first}", *rest]


def exit_code(checks: Sequence[Check]) -> int:
    """0 fine, 1 warnings, 2 failures."""
    return max(int(check.result) for check in checks)


def policy_file(path: Path | None) -> Check:
    """The policy file, where there is one, is YAML."""
    name = "Policy File JSON to YAML Migration"
    try:
        codec.loads(path.read_bytes() if path else b"")
    except ValueError:
        return Check(name)
    return Check(name, Result.FAILURE, f"{path} is JSON: oslopolicy-convert-json-to-yaml makes YAML of it")


def run(program: str, argv: Sequence[str] | None, checks: Callable[[Sequence[str]], Iterable[Check]]) -> int:
    """The command line; ``checks`` is given its words about configuration files.

    Exit codes: 0 fine; 1 warnings; 2 failures; 255 the checks could not be made.
    """
    parser = argparse.ArgumentParser(prog=program, allow_abbrev=False)
    parser.add_argument("--config-file", action="append", default=[], help="read this file; may be repeated")
    parser.add_argument("--config-dir", action="append", default=[], help="read the files of this directory")
    commands = parser.add_subparsers(dest="category", required=True).add_parser("upgrade", help="before and after one")
    commands.add_subparsers(dest="command", required=True).add_parser("check", help="is all ready?")
    arguments = parser.parse_args(argv)
    files = [word for name in arguments.config_file for word in ("--config-file", name)]
    folders = [word for name in arguments.config_dir for word in ("--config-dir", name)]
    try:
        found = list(checks([*files, *folders]))
    except KilonovaError as error:
        sys.stderr.write(f"{program}: {logs.blotted(str(error))}\n")
        return _CANNOT
    print(report(found))
    return exit_code(found)
