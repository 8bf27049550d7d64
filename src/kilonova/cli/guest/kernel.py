"""The guest's kernel: fetched as a package by apt, unpacked, never installed on this machine."""

import gzip
import lzma
import platform
import re
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from kilonova.kit.errors import Unavailable

Say = Callable[[str], None]

METAPACKAGES = (
    "linux-image-cloud-amd64",  # Debian: no sound, no graphics, every virtio driver
    "linux-image-virtual",  # Ubuntu
    "linux-image-kvm",  # Ubuntu 22.04: smaller, but shows nothing on its screen
    "linux-image-generic",
    "linux-image-amd64",
)
_IMAGE = re.compile(r"^\s*\|?(?:Pre)?Depends: (linux-image-(?:unsigned-)?\d\S*)$", re.MULTILINE)
_MODULES = re.compile(r"^\s*\|?(?:Pre)?Depends: (linux-modules-\d\S*)$", re.MULTILINE)
_DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")
_ALIAS = re.compile(rb"\0alias=([^\0]*)(?=\0)")
_SIGNED = b"~Module signature appended~\n"


class NoKernel(Unavailable):
    """apt has no kernel package that fits."""

    template = "No kernel for the guest image: {reason}"


@dataclass(frozen=True, slots=True)
class Module:
    """A kernel module, ready to be loaded."""

    name: str
    content: bytes
    needs: tuple[str, ...]
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kernel:
    """An unpacked kernel package."""

    root: Path
    version: str

    @property
    def image(self) -> Path:
        return self.root / "boot" / f"vmlinuz-{self.version}"

    def modules(self, names: Iterable[str]) -> list[Module]:
        """The named modules and what they need, each after its needs; those built in or not shipped are left out."""
        # Ubuntu and newer Debian ship /usr/lib/modules; the older ones /lib/modules.
        found = [*self.root.glob(f"lib/modules/{self.version}/kernel/**/*.ko*")]
        found += self.root.glob(f"usr/lib/modules/{self.version}/kernel/**/*.ko*")
        paths = {path.name.partition(".")[0].replace("-", "_"): path for path in found}
        loaded: dict[str, Module] = {}
        for name in names:
            _collect(name.replace("-", "_"), paths, loaded)
        return list(loaded.values())


def _collect(name: str, paths: dict[str, Path], loaded: dict[str, Module]) -> None:
    path = paths.get(name)
    if path is None or name in loaded:
        return
    content = _unsigned(_uncompressed(path))
    match = _DEPENDS.search(content)
    needs = tuple(word.replace("-", "_") for word in match[1].decode().split(",") if word) if match else ()
    for need in needs:
        _collect(need, paths, loaded)
    aliases = tuple(alias.decode() for alias in _ALIAS.findall(content))
    loaded[name] = Module(name, content, tuple(need for need in needs if need in paths), aliases)


def _uncompressed(path: Path) -> bytes:
    """The busybox in the guest loads plain modules only, and plain ones pack better."""
    match path.suffix:
        case ".xz":
            return lzma.decompress(path.read_bytes())
        case ".gz":
            return gzip.decompress(path.read_bytes())
        case ".zst":
            return subprocess.run(["zstd", "-dcq", str(path)], check=True, capture_output=True).stdout
        case _:
            return path.read_bytes()


def _unsigned(content: bytes) -> bytes:
    """Without the appended signature: checking it costs an emulated guest up to 100 ms a module.

    The tail is (kernel's scripts/sign-file): signature, 12 bytes ending in its big-endian length, a magic line.
    """
    if not content.endswith(_SIGNED):
        return content
    tail = len(_SIGNED) + 12
    length = int.from_bytes(content[-len(_SIGNED) - 4 : -len(_SIGNED)], "big")
    return content[: -(tail + length)]


def fetch(workdir: Path, say: Say) -> Kernel:
    """Download and unpack the newest small kernel into ``workdir``; one that is there already is used as it is.

    Raises NoKernel.
    """
    root = workdir / "kernel"
    if (there := unpacked(root)) is not None:
        return there
    if platform.machine() != "x86_64":
        raise NoKernel(reason=f"the guest image is made for x86_64, this machine is {platform.machine()}")
    packages = _choose(say)
    say(f"downloading the guest's kernel: {', '.join(packages)}")
    root.mkdir(parents=True, exist_ok=True)
    # apt drops to user _apt for downloads, who may not write into a private directory.
    _run("apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *packages, cwd=root)
    for package in sorted(root.glob("*.deb")):
        _run("dpkg-deb", "-x", str(package), str(root))
        package.unlink()
    kernel = unpacked(root)
    if kernel is None:
        raise NoKernel(reason=f"{', '.join(packages)} hold no /boot/vmlinuz")
    return kernel


def unpacked(root: Path) -> Kernel | None:
    """The newest kernel under ``root``."""
    images = sorted(root.glob("boot/vmlinuz-*"))
    return Kernel(root, images[-1].name.removeprefix("vmlinuz-")) if images else None


def _choose(say: Say) -> list[str]:
    chosen = _known()
    if chosen is None:
        say("reading the package lists (apt-get update)")
        _run("apt-get", "-q", "update")
        chosen = _known()
    if chosen is None:
        raise NoKernel(reason=f"apt knows none of {', '.join(METAPACKAGES)}; check /etc/apt/sources.list")
    return chosen


def _known() -> list[str] | None:
    """The image's package, and that of its modules where it is apart; None when apt knows none."""
    image = image_package(_depends(*METAPACKAGES))
    if image is None:
        return None
    # Debian ships both in one; asking apt again would cost another second.
    modules = None if image.endswith("-amd64") else modules_package(_depends(image))
    return [image, modules] if modules else [image]


def image_package(listing: str) -> str | None:
    """The image that the first known metapackage of ``apt-cache depends`` leads to."""
    for name in METAPACKAGES:
        _, there, paragraph = f"\n{listing}".partition(f"\n{name}\n")
        image = _IMAGE.match(paragraph) if there else None
        if image:
            return image[1]
    return None


def modules_package(listing: str) -> str | None:
    """The package of modules that an image's ``apt-cache depends`` names."""
    found = _MODULES.search(listing)
    return found[1] if found else None


def _depends(*packages: str) -> str:
    """What apt says; asked once for many, since each asking costs a second on a small machine."""
    found = subprocess.run(["apt-cache", "depends", *packages], check=False, capture_output=True, text=True)
    return found.stdout


def _run(*command: str, cwd: Path | None = None) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=cwd)
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise NoKernel(reason=f"`{' '.join(command[:4])} …` failed: {' '.join(words)}")
