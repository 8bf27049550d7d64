"""``kilonova doctor``: what is wrong with this machine's part of the cloud, and what to do about it."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kilonova.cli.doctor.arguments import NAMES
from kilonova.cli.doctor.contract import Finding, Group, Patient, Role, broken
from kilonova.cli.doctor.registry import GROUPS
from kilonova.cli.upgrade_check import Result
from kilonova.kit import codec, logs
from kilonova.kit.errors import KilonovaError
from kilonova.kit.options import BadConfiguration, Configuration, load
from kilonova.kit.usual_files import readable

_USUAL = Path("/etc/nova/nova.conf")
_SIGNS = {Result.SUCCESS: "ok  ", Result.WARNING: "WARN", Result.FAILURE: "FAIL"}


def run(arguments: Any) -> int:
    """Exit code: that of the worst finding."""
    logging.getLogger().addHandler(logging.NullHandler())  # what matters of them is found, and told in our words
    groups = {name: GROUPS[name] for name in arguments.only or NAMES}
    found: list[tuple[str, Finding]] = []
    tell: Callable[[str, Finding], None] = (lambda _group, _finding: None) if arguments.json else _tell
    try:
        patient = _patient(arguments)
    except BadConfiguration as error:
        found.append(("configuration", broken("Files", str(error), "correct the file, or name another --config-file")))
        tell(*found[0])
    else:
        for group, finding in examine(patient, groups):
            found.append((group, finding))
            tell(group, finding)
    worst = max((finding.result for _, finding in found), default=Result.SUCCESS)
    if arguments.json:
        print(codec.text(_document(found, worst)))
    else:
        _sum_up([finding for _, finding in found])
    return int(worst)


def examine(patient: Patient, groups: Mapping[str, Group] = GROUPS) -> Iterator[tuple[str, Finding]]:
    """Every finding with its group; a group that cannot go on says so."""
    yield "configuration", Finding("Role", f"{patient.role} (--role says otherwise)")
    for name, look in groups.items():
        try:
            for finding in look(patient):
                yield name, finding
        except KilonovaError as error:
            yield name, broken(name.capitalize(), logs.blotted(str(error)), "correct what it names")


def _patient(arguments: Any) -> Patient:
    """Raises BadConfiguration."""
    words = [word for name in arguments.config_file for word in ("--config-file", name)]
    words += [word for name in arguments.config_dir for word in ("--config-dir", name)]
    lab = Path(arguments.state) / "nova.conf"
    if not words and not readable(_USUAL) and readable(lab):
        words = ["--config-file", str(lab)]
    configuration = load("kilonova", words)
    return Patient(configuration, Role(arguments.role) if arguments.role else role_of(configuration))


def role_of(configuration: Configuration) -> Role:
    """What a file looks like: packages of compute hosts set compute_driver, controllers name APIs and neighbours."""
    hosts = "compute_driver" in configuration.values("DEFAULT")
    controls = "enabled_apis" in configuration.values("DEFAULT") or "auth_type" in configuration.values("neutron")
    if "lab" in configuration.groups() or (hosts and controls):
        return Role.ALL
    if hosts or ("libvirt" in configuration.groups() and not controls):
        return Role.COMPUTE
    return Role.CONTROLLER


def _tell(group: str, finding: Finding) -> None:
    print(f"{_SIGNS[finding.result]}  {group:13} {finding.name}: {finding.words}", flush=True)
    if finding.fix:
        print(f"      {'':13} -> {finding.fix}", flush=True)


def _sum_up(found: Sequence[Finding]) -> None:
    failures = sum(finding.result is Result.FAILURE for finding in found)
    warnings = sum(finding.result is Result.WARNING for finding in found)
    print(f"{len(found)} checks: {failures} failed, {warnings} with a warning")


def _document(found: Sequence[tuple[str, Finding]], worst: Result) -> dict[str, Any]:
    checks = [{"group": group, **asdict(finding), "result": finding.result.name.lower()} for group, finding in found]
    return {"result": worst.name.lower(), "checks": checks}
