import time
from datetime import UTC, datetime, timedelta

from kilonova.kit.clock import ManualClock, SystemClock, show, stamp


def test_the_machines_clock_is_naive_utc() -> None:
    clock = SystemClock()
    assert abs(clock.now() - datetime.now(UTC).replace(tzinfo=None)) < timedelta(seconds=5)
    before = time.monotonic()
    clock.sleep(0.001)
    assert before + 0.001 <= clock.monotonic() <= time.monotonic()


def test_a_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock(datetime(2026, 1, 2))  # noqa: DTZ001  # naive UTC is the convention
    assert (clock.now(), clock.monotonic()) == (clock.now(), 0.0)
    clock.sleep(1.5)
    clock.advance(60)
    assert stamp(clock.now()) == "2026-01-02T00:01:01.500000"
    assert clock.monotonic() == 61.5


def test_stamps_sort_as_time_does() -> None:
    moments = [datetime(2026, 1, 2, 3, 4, 5), datetime(2026, 1, 2, 3, 4, 5, 1), datetime(2026, 1, 2, 3, 4, 6)]  # noqa: DTZ001
    stamps = [stamp(moment) for moment in moments]
    assert sorted(stamps) == stamps
    assert {len(text) for text in stamps} == {26}
    assert [show(text) for text in stamps] == ["2026-01-02T03:04:05Z"] * 2 + ["2026-01-02T03:04:06Z"]
    assert show(None) is None
