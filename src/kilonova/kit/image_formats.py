"""What a file of unknown origin holds, before a program that believes its headers opens it (oslo.utils)."""

from dataclasses import dataclass
from pathlib import Path

from oslo_utils.imageutils import format_inspector

_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Look:
    """What was found."""

    formats: frozenset[str]
    """Names of all formats that it can be taken for (``qcow2``, ``vmdk``, ``iso``, ``gpt`` …); ``raw`` when of none."""
    danger: str | None
    """Why a reader of one of these formats should not open it: it names other files, or is not understood whole."""


def look(path: Path) -> Look:
    """Reads as much as it takes to be sure: mostly a MiB, the whole file where a format has its facts at the end.

    The partition table of a ``gpt`` is not judged: it is data to whoever reads the file as it is.
    """
    wrapper = format_inspector.InspectWrapper(path.open("rb"))
    try:
        while wrapper.formats is None and wrapper.read(_CHUNK):
            pass
    finally:
        wrapper.close()
    found = list(wrapper.formats or ())
    dangers = [_danger(inspector) for inspector in found if inspector.NAME != "gpt"]
    return Look(frozenset(inspector.NAME for inspector in found), next(filter(None, dangers), None))


def _danger(inspector: format_inspector.FileInspector) -> str | None:
    try:
        inspector.safety_check()
    except format_inspector.SafetyCheckFailed as error:
        return "; ".join(str(failure) for failure in error.failures.values())
    except format_inspector.ImageFormatError as error:
        return str(error)
    return None
