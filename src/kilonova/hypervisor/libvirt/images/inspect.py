"""Judging an image before any tool opens it.

Images name other files (a backing file, an external data file, a VMDK's extents). A tool that opens such an image
opens those files of the host too, so they are refused here.
"""

from pathlib import Path

from kilonova.kit.image_formats import look

_AS_IT_IS = frozenset({"raw", "gpt", "iso"})
"""Nothing reads a header of these: they are data of whoever starts from them."""
_MAY_BE = {
    "raw": _AS_IT_IS,
    "iso": _AS_IT_IS,
    "ami": _AS_IT_IS,
    "qcow2": {"qcow2"},
    "vmdk": {"vmdk"},
    "vdi": {"vdi"},
    # A dynamic VHD starts with a copy of its footer, a fixed one does not and looks like nothing.
    "vhd": {"vhd", "raw", "gpt"},
    "vhdx": {"vhdx"},
}
DISK_FORMATS = {
    **dict.fromkeys(("raw", "iso", "ami"), "raw"),
    **{name: name for name in ("qcow2", "vmdk", "vdi", "vhdx")},
    "vhd": "vpc",
}
"""Glance's disk_format → QEMU's format, for those this driver takes."""


def objection(claimed: str, image: Path) -> str | None:
    """Why an image of Glance's format ``claimed`` cannot be used, or None."""
    allowed = _MAY_BE.get(claimed)
    if allowed is None:
        return f"disk_format {claimed} is not supported on this host"
    found = look(image)
    if not found.formats <= allowed:
        return f"its disk_format says {claimed}, its data is {' and '.join(sorted(found.formats))}"
    return found.danger and f"it is not safe to open: {found.danger}"
