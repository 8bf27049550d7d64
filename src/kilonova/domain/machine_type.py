"""Machine types of QEMU: ``pc`` and ``q35`` are names for the newest ``pc-i440fx-N.N`` and ``pc-q35-N.N``."""

import re
from typing import Final

from kilonova.kit import codec

PROPERTY: Final = "hw_machine_type"
_VERSIONED = re.compile(r"(?P<kind>.+?)-(?P<major>\d+)\.(?P<minor>\d+)(?:\.\d+)?")
_KINDS = {"pc-i440fx": "pc", "pc-q35": "q35"}
_OLDEST = {"pc": (2, 4), "q35": (2, 4), "virt": (2, 6)}
"""What QEMU 7, the oldest that hosts run, has and does not call deprecated (its removed-features.rst)."""


def _parts(name: str) -> tuple[str, tuple[int, int] | None]:
    """Kind and version; None stands for the newest."""
    found = _VERSIONED.fullmatch(name)
    if found is None:
        return _KINDS.get(name, name), None
    return _KINDS.get(found["kind"], found["kind"]), (int(found["major"]), int(found["minor"]))


def too_old(name: str) -> bool:
    """No QEMU that is around has it any more."""
    kind, version = _parts(name)
    return version is not None and version < _OLDEST.get(kind, (0, 0))


def may_become(before: str, after: str) -> bool:
    """A guest may get a machine of the same kind that is as new, or newer; another kind would move its devices."""
    (kind, version), (wanted_kind, wanted) = _parts(before), _parts(after)
    if kind != wanted_kind:
        return False
    return version is None or wanted is None or wanted >= version


def recorded(image: str, machine: str) -> str:
    """An image's facts, as a server's row keeps them, that name a machine type: the one they name already, or this."""
    facts = codec.loads(image)
    return codec.text({**facts, "properties": {PROPERTY: machine, **facts.get("properties", {})}})
