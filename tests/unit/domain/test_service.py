from datetime import datetime

from kilonova.domain.service import oldest_report


def test_oldest_report() -> None:
    assert oldest_report(datetime(2026, 1, 1, 0, 2), 60) == "2026-01-01T00:01:00.000000"  # noqa: DTZ001  # naive UTC
