"""The config drive: an ISO 9660 file system labelled ``config-2`` with Rock Ridge and Joliet names."""

import base64
import binascii
import io
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pycdlib

from kilonova.hypervisor.contracts import HypervisorFailed

LABEL = "config-2"


class _Tree:
    """Adds files by path, making folders on the way. ISO names are numbers: readers go by the long names."""

    def __init__(self, iso: pycdlib.PyCdlib) -> None:
        self._iso = iso
        self._folders = {PurePosixPath("/"): ""}
        self._count = 0

    def _next(self, prefix: str) -> str:
        self._count += 1
        return f"/{prefix}{self._count:06d}"

    def folder(self, path: PurePosixPath) -> str:
        """ISO path of a folder."""
        if path not in self._folders:
            here = self.folder(path.parent) + self._next("D")
            self._iso.add_directory(here, rr_name=path.name, joliet_path=str(path))
            self._folders[path] = here
        return self._folders[path]

    def file(self, path: PurePosixPath, content: bytes) -> None:
        here = self.folder(path.parent) + self._next("F") + ".;1"
        self._iso.add_fp(io.BytesIO(content), len(content), here, rr_name=path.name, joliet_path=str(path))


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath("/") / name
    if ".." in path.parts:
        raise ValueError(f"{name}: leaves the drive")
    return path


def write(files: Mapping[str, str], target: Path) -> None:
    """Write ``files`` (path → base64 content) as an ISO image; an earlier ``target`` is replaced at once.

    Raises HypervisorFailed for content that is not base64 or a path that is not relative and plain.
    """
    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident=LABEL)
    try:
        tree = _Tree(iso)
        for name, text in sorted(files.items()):
            tree.file(_inside(name), base64.b64decode(text, validate=True))
        part = target.with_name(target.name + ".part")
        iso.write(str(part))
        part.rename(target)
    except (ValueError, binascii.Error, pycdlib.pycdlibexception.PyCdlibException) as error:
        raise HypervisorFailed(call="config drive", host="this host", reason=str(error)) from error
    finally:
        iso.close()
