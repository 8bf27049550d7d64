import resource
from dataclasses import replace
from pathlib import Path

import pytest

from kilonova.domain.power import PowerState
from kilonova.hypervisor.fake.state import Guests, Record, Usage


def record(uuid: str, node: str = "n1") -> Record:
    return Record(
        uuid=uuid,
        name=f"i-{uuid}",
        display_name=uuid,
        node=node,
        vcpus=2,
        memory_mb=512,
        disk_gb=10,
        power=PowerState.RUNNING,
    )


def test_usage_follows_every_change() -> None:
    guests = Guests()
    guests.put(record("a"))
    guests.put(record("b"))
    guests.put(replace(record("b"), vcpus=4))
    guests.drop("a")
    guests.drop("a")
    assert guests.usage() == {"n1": Usage(vcpus=4, memory_mb=512, disk_gb=10, guests=1)}


def test_a_file_keeps_guests_over_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "guests.jsonl"
    first = Guests(path)
    for uuid in ("a", "b"):
        first.put(record(uuid))
    paused = replace(record("a"), power=PowerState.PAUSED)
    first.put(paused)
    first.drop("b")
    with path.open("ab") as stream:
        stream.write(b'{"uuid":"c","rec')  # killed while writing
    second = Guests(path)
    assert second.all() == [paused]
    assert second.usage()["n1"].guests == 1
    second.put(record("d"))
    third = Guests(path)
    assert {r.uuid for r in third.all()} == {"a", "d"}
    for each in (first, second, third):
        each.close()


def test_the_file_shrinks_to_what_is_there_when_opened(tmp_path: Path) -> None:
    path = tmp_path / "guests.jsonl"
    guests = Guests(path)
    for _ in range(10):
        guests.put(record("a"))
    guests.close()
    assert len(path.read_bytes().splitlines()) == 10
    Guests(path).close()
    assert len(path.read_bytes().splitlines()) == 1


@pytest.mark.parametrize("room", [0, 20])
def test_a_full_disk_changes_nothing(tmp_path: Path, room: int) -> None:
    path = tmp_path / "guests"
    guests, kept = Guests(path), record("kept")
    guests.put(kept)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + room, before[1]))
    try:
        with pytest.raises(OSError, match=r"File too large|No space"):
            guests.drop(kept.uuid)
        with pytest.raises(OSError, match=r"File too large|No space"):
            guests.put(record("other"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert guests.all() == [kept]
    guests.drop(kept.uuid)
    guests.close()
    after = Guests(path)
    assert after.all() == []
    after.close()
