"""The lab's two entries in clouds.yaml files, where ``openstack`` and openstacksdk look for logins."""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from kilonova.cli.lab_files import Lab, write_private
from kilonova.kit.errors import Unavailable

CLOUD = "kilonova"
DEMO_CLOUD = "kilonova-demo"
SYSTEM = Path("/etc/openstack/clouds.yaml")
_BELOW_HOME = ".config/openstack/clouds.yaml"


class BadCloudsFile(Unavailable):
    """Someone else's file that cannot be added to."""

    template = "{path} is not a clouds.yaml that can be added to ({reason}); mend it or move it away"


def places(environ: Mapping[str, str] = os.environ, system: Path = SYSTEM) -> list[Path]:
    """Where clients look: the system's file; the file of the user behind sudo, who may not read that one.

    Clients read only the first file that they find, a user's before the system's: a file in root's home counts too.
    """
    found = [system]
    person = environ.get("SUDO_USER", "root")
    own = Path(os.path.expanduser(f"~{person}")) / _BELOW_HOME  # noqa: PTH111  # no error where there is no such user
    if not own.is_absolute():
        return found
    if person != "root" or own.exists():
        found.append(own)
    return found


def write(lab: Lab, paths: Iterable[Path]) -> None:
    """Add our two clouds, leaving others in the files as they are. Raises BadCloudsFile."""
    ours = {CLOUD: _entry(lab, "admin"), DEMO_CLOUD: _entry(lab, "demo")}
    for path in paths:
        known = _read(path)
        known.setdefault("clouds", {}).update(ours)
        _write(path, known)


def forget(lab: Lab, paths: Iterable[Path]) -> None:
    """Take our clouds out, unless they are another lab's by now; an empty file goes too. Raises BadCloudsFile."""
    for path in filter(Path.exists, paths):
        known = _read(path)
        clouds = known.get("clouds", {})
        for name, user in ((CLOUD, "admin"), (DEMO_CLOUD, "demo")):
            if clouds.get(name) == _entry(lab, user):
                del clouds[name]
        if clouds or set(known) - {"clouds"}:
            _write(path, known)
        else:
            path.unlink(missing_ok=True)
            if path.parent.name == "openstack":
                with suppress(OSError):  # others are in it
                    path.parent.rmdir()


def _entry(lab: Lab, user: str) -> dict[str, Any]:
    """The users' names are their projects'."""
    return {
        "region_name": "RegionOne",
        "identity_api_version": "3",
        "auth": {
            "auth_url": lab.url(5000, "/v3"),
            "username": user,
            "password": lab.passwords()[user],
            "project_name": user,
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        },
    }


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        found = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadCloudsFile(path=path, reason=f"no YAML: {str(error).splitlines()[0]}") from error
    if found is None:
        return {}
    if not isinstance(found, dict) or not isinstance(found.get("clouds", {}), dict):
        raise BadCloudsFile(path=path, reason="its content is no mapping with `clouds`")
    return found


def _write(path: Path, content: Mapping[str, Any]) -> None:
    """The mode and owner of a file that is there are kept; a new one holds passwords and is its user's alone."""
    before = path.stat() if path.exists() else None
    missing = [folder for folder in (path.parent, path.parent.parent) if not folder.exists()]
    mode = 0o600 if before is None else before.st_mode & 0o777
    write_private(path, yaml.safe_dump(dict(content), sort_keys=False), mode)
    owner = (before.st_uid, before.st_gid) if before is not None else _person(path)
    if owner is not None:
        for each in (path, *missing):
            os.chown(each, *owner)


def _person(path: Path) -> tuple[int, int] | None:
    """The user behind sudo, for files outside the system's directories."""
    if path.is_relative_to("/etc") or "SUDO_UID" not in os.environ:
        return None
    return int(os.environ["SUDO_UID"]), int(os.environ["SUDO_GID"])
