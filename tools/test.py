"""All tests: first those that stay in one process, in parallel, then those with real guests and services, in turn.

The walk (`tests/walk`: an installation by the guide, on real neighbours) takes long and runs only when named.
Installs the system packages that the latter need. Ends with one line: N passed, N failed, N skipped.
"""

import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

from kilonova.cli.host import packages
from kilonova.kit.errors import KilonovaError

PARTS = {
    "quick": (("unit", "service", "contract"), ["-n", "2", "--dist", "loadfile"]),
    "system": (("system",), ["-p", "no:xdist", "--timeout", "300"]),
    "walk": (("walk",), ["-p", "no:xdist", "--timeout", "1800"]),
}
ONLY_WHEN_NAMED = {"walk"}
WITH_PACKAGES = {"contract", "system", "walk"}
BUILD = Path("build")
NO_TESTS = 5


def run(name: str, folders: list[str], options: list[str]) -> Counter[str]:
    """One pytest run; returns its counts, with an error counted where pytest itself failed."""
    report = BUILD / f"tests-{name}.xml"
    report.unlink(missing_ok=True)
    begun = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", f"--junitxml={report}", *options, *folders]
    code = subprocess.run(command, check=False).returncode
    counts = counted(report) if report.exists() else Counter[str]()
    if code not in {0, 1, NO_TESTS} or (code == 1 and not counts["failed"]):
        counts["failed"] += 1
    print(f"{name} tests took {time.monotonic() - begun:.0f} s", flush=True)
    return counts


def counted(report: Path) -> Counter[str]:
    """passed, failed, skipped of a JUnit report."""
    counts: Counter[str] = Counter()
    for suite in ET.parse(report).getroot().iter("testsuite"):
        number = {key: int(suite.get(key, "0")) for key in ("tests", "failures", "errors", "skipped")}
        bad = number["failures"] + number["errors"]
        counts.update(failed=bad, skipped=number["skipped"], passed=max(0, number["tests"] - bad - number["skipped"]))
    return counts


def installed(wanted: list[str]) -> bool:
    """The packages that tests with real guests and services need are there, or were not asked for."""
    if wanted and not WITH_PACKAGES & set(wanted):
        return True
    try:
        packages.ensure(packages.for_tests(), BUILD / "apt.log", print)
    except KilonovaError as error:
        print(f"tests with real guests and services cannot run: {error}")
        return False
    return True


def main(wanted: list[str]) -> int:
    BUILD.mkdir(exist_ok=True)
    total: Counter[str] = Counter()
    if not installed(wanted):
        total["failed"] += 1
    for name, (folders, options) in PARTS.items():
        asked = [f for f in folders if (f in wanted if wanted else f not in ONLY_WHEN_NAMED)]
        there = [f"tests/{f}" for f in asked if Path(f"tests/{f}").is_dir()]
        if there:
            total += run(name, there, options)
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    return 1 if total["failed"] or not total["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
