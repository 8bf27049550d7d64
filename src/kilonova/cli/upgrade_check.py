"""``… upgrade check``: what must be seen to before or after an upgrade, as a table and an exit code."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from kilonova.cli.table import table


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
    """The table, in the form that deployment tools read: one column, three lines a check."""
    blocks = [[f"Check: {c.name}", f"Result: {c.result.name.capitalize()}", f"Details: {c.details}"] for c in checks]
    width = max(len(line) for block in blocks for line in block)
    head, *rest = table(["Upgrade Check Results".ljust(width)], [["".ljust(width)]]).splitlines()
    rule = rest[1]
    lines = [head, rest[0], rule]
    for block in blocks:
        lines += [f"| {line:{width}} |" for line in block]
        lines.append(rule)
    return "\n".join(lines)


def exit_code(checks: Sequence[Check]) -> int:
    """0 fine, 1 warnings, 2 failures."""
    return max(int(check.result) for check in checks)
