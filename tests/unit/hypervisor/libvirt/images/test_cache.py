import hashlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kilonova.hypervisor.contracts import HypervisorFailed, ImageFacts, InvalidImage
from kilonova.hypervisor.libvirt.images.cache import ImageCache, ImageTooBig
from kilonova.hypervisor.libvirt.images.tools import ImageInfo
from kilonova.kit.errors import NotFound

QCOW2 = b"QFI\xfb\0\0\0\2".ljust(1024, b"\0")
RAW = b"\x07" * 2048


@dataclass
class Source:
    """Images in memory; ``wait`` holds every download until set."""

    data: dict[str, bytes]
    downloads: int = 0
    wait: threading.Event | None = None

    def download(self, image_id: str, target: Path) -> None:
        self.downloads += 1
        target.write_bytes(b"half")
        if self.wait:
            assert self.wait.wait(10)
        if image_id not in self.data:
            raise NotFound(f"no image {image_id}")
        target.write_bytes(self.data[image_id])

    def upload(self, image_id: str, source: Path, disk_format: str) -> None:
        raise NotImplementedError


@dataclass
class Tool:
    """Converts by writing what it did; its answers about images are given."""

    answer: ImageInfo = field(default_factory=lambda: ImageInfo(format="qcow2", virtual_size=4096))
    broken: bool = False

    def info(self, path: Path, fmt: str) -> ImageInfo:
        return self.answer if fmt != "raw" else ImageInfo(format="raw", virtual_size=path.stat().st_size)

    def convert(self, source: Path, fmt: str, target: Path, to: str, *, compress: bool = False) -> None:
        target.write_bytes(f"{fmt} to {to}".encode().ljust(self.answer.virtual_size))
        if self.broken:
            raise HypervisorFailed(call="convert", host="h", reason="no space")
        assert source.exists()
        assert not compress

    def overlay(self, path: Path, backing: Path, backing_fmt: str, size: int) -> None:
        raise NotImplementedError

    def blank(self, path: Path, fmt: str, size: int) -> None:
        raise NotImplementedError

    def grow(self, path: Path, fmt: str, size: int) -> None:
        raise NotImplementedError

    def filesystem(self, path: Path, kind: str, label: str) -> None:
        raise NotImplementedError


def quiet(_text: str) -> None:
    """Nobody listens."""


def facts(image_id: str = "i", disk_format: str = "qcow2", checksum: str | None = None) -> ImageFacts:
    return ImageFacts(id=image_id, disk_format=disk_format, size=1, checksum=checksum)


def cache(folder: Path, source: Source, tool: Tool | None = None, *, force_raw: bool = True) -> ImageCache:
    return ImageCache(folder / "_base", source, tool or Tool(), force_raw=force_raw, vmdk=["monolithicSparse"])


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in (folder / "_base").iterdir())


def test_an_image_is_fetched_once_and_kept_raw(tmp_path: Path) -> None:
    source = Source({"i": QCOW2})
    made = cache(tmp_path, source)
    first, second = made.get(facts(), quiet), made.get(facts(), quiet)
    assert first == second
    assert (first.format, first.virtual_size) == ("raw", 4096)
    assert first.path.read_bytes().startswith(b"qcow2 to raw")
    assert (source.downloads, names(tmp_path)) == (1, ["i.raw"])


def test_a_qcow2_may_be_kept_as_it_is(tmp_path: Path) -> None:
    found = cache(tmp_path, Source({"i": QCOW2}), force_raw=False).get(facts(), quiet)
    assert (found.format, found.path.read_bytes()) == ("qcow2", QCOW2)


def test_a_raw_image_needs_no_conversion(tmp_path: Path) -> None:
    found = cache(tmp_path, Source({"i": RAW})).get(facts(disk_format="raw"), quiet)
    assert (found.path.read_bytes(), found.virtual_size) == (RAW, 2048)


def test_those_who_come_while_it_is_fetched_wait_for_it(tmp_path: Path) -> None:
    source = Source({"i": QCOW2}, wait=threading.Event())
    made, waiting = cache(tmp_path, source), threading.Barrier(4)

    def told(text: str) -> None:
        if text.startswith("waiting"):
            waiting.wait(10)

    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(made.get, facts(), told) for _ in range(4)]
        waiting.wait(10)  # three wait, the fourth is downloading
        assert source.wait
        source.wait.set()
        assert len({f.result().path for f in futures}) == 1
    assert source.downloads == 1


def test_those_who_wait_get_the_failure_too_and_the_next_one_tries_again(tmp_path: Path) -> None:
    source = Source({}, wait=threading.Event())
    made, waiting = cache(tmp_path, source), threading.Event()
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(made.get, facts(), _flagging(waiting)) for _ in range(2)]
        assert waiting.wait(10)
        assert source.wait
        source.wait.set()
        assert [type(f.exception()) for f in futures] == [NotFound, NotFound]
    assert names(tmp_path) == []
    source.data["i"] = QCOW2
    assert made.get(facts(), quiet).path.exists()


def _flagging(waiting: threading.Event) -> Callable[[str], None]:
    def told(text: str) -> None:
        if text.startswith("waiting"):
            waiting.set()

    return told


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (ImageInfo(format="qcow2", virtual_size=1, backing_file="/etc/passwd"), "backing file"),
        (ImageInfo(format="qcow2", virtual_size=1, data_file="/etc/passwd"), "data file"),
        (ImageInfo(format="vmdk", virtual_size=1, vmdk_kind="monolithicFlat"), "monolithicFlat"),
    ],
)
def test_what_the_reader_finds_is_refused_too(tmp_path: Path, answer: ImageInfo, words: str) -> None:
    with pytest.raises(InvalidImage, match=words):
        cache(tmp_path, Source({"i": QCOW2}), Tool(answer)).get(facts(), quiet)
    assert names(tmp_path) == []


def test_a_damaged_download_is_refused(tmp_path: Path) -> None:
    good, bad = hashlib.sha512(QCOW2).hexdigest(), hashlib.sha512(RAW).hexdigest()
    made = cache(tmp_path, Source({"i": QCOW2}))
    with pytest.raises(InvalidImage, match="Glance says"):
        made.get(facts(checksum=f"sha512:{bad}"), quiet)
    assert names(tmp_path) == []
    assert made.get(facts(checksum=f"sha512:{good}"), quiet).path.exists()


def test_a_failed_conversion_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(HypervisorFailed, match="no space"):
        cache(tmp_path, Source({"i": QCOW2}), Tool(broken=True)).get(facts(), quiet)
    assert names(tmp_path) == []


def test_a_kernel_is_kept_as_it_is(tmp_path: Path) -> None:
    kernel = "11111111-1111-4111-8111-111111111111"
    source = Source({kernel: QCOW2})
    made = cache(tmp_path, source)
    assert made.blob(kernel).read_bytes() == QCOW2
    assert made.blob(kernel) == tmp_path / "_base" / f"{kernel}.blob"
    assert source.downloads == 1


def test_a_kernel_id_that_is_a_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidImage, match="UUID"):
        cache(tmp_path, Source({})).blob("../../etc/shadow")


@pytest.mark.parametrize("evil", ["../x", "a/b", "..", "", "a\0b", "x" * 65, "."])
def test_an_id_that_is_a_path_is_refused(tmp_path: Path, evil: str) -> None:
    with pytest.raises(InvalidImage, match="no file name"):
        cache(tmp_path, Source({evil: QCOW2})).get(facts(evil), quiet)
    assert list(tmp_path.iterdir()) == []


def test_who_waits_with_more_room_is_not_refused_for_the_first_ones_lack_of_it(tmp_path: Path) -> None:
    source = Source({"i": QCOW2}, wait=threading.Event())
    made, begun, waiting = cache(tmp_path, source), threading.Event(), threading.Event()

    def told(text: str) -> None:
        (waiting if text.startswith("waiting") else begun).set()

    with ThreadPoolExecutor(2) as pool:
        small = pool.submit(made.get, facts(), told, limit=4095)
        assert begun.wait(10)
        large = pool.submit(made.get, facts(), told, limit=4096)
        assert waiting.wait(10)
        assert source.wait
        source.wait.set()
        assert isinstance(small.exception(), ImageTooBig)
        assert large.result().virtual_size == 4096
    with pytest.raises(ImageTooBig, match="4096 bytes does not fit one of 4095"):
        made.get(facts(), quiet, limit=4095)


def test_old_images_nobody_uses_go(tmp_path: Path) -> None:
    made = cache(tmp_path, Source({"a": RAW, "b": RAW, "c": RAW}))
    for image_id in "abc":
        made.get(facts(image_id, "raw"), quiet)
    for image_id in "ab":
        os.utime(tmp_path / "_base" / f"{image_id}.raw", (0, 0))
    assert made.prune({"a"}, 3600) == ("b.raw",)
    assert names(tmp_path) == ["a.raw", "c.raw"]
