"""Periods of the usage audit."""

from datetime import datetime

import pytest

from kilonova.domain.audit_period import BadPeriod, last_completed


@pytest.mark.parametrize(
    ("period", "begin", "end"),
    [
        ("hour", "2012-07-05 09:00", "2012-07-05 10:00"),
        ("hour@20", "2012-07-05 09:20", "2012-07-05 10:20"),
        ("hour@40", "2012-07-05 08:40", "2012-07-05 09:40"),
        ("day", "2012-07-04 00:00", "2012-07-05 00:00"),
        ("day@12", "2012-07-03 12:00", "2012-07-04 12:00"),
        ("month", "2012-06-01 00:00", "2012-07-01 00:00"),
        ("month@15", "2012-05-15 00:00", "2012-06-15 00:00"),
        ("year", "2011-01-01 00:00", "2012-01-01 00:00"),
        ("year@9", "2010-09-01 00:00", "2011-09-01 00:00"),
    ],
)
def test_the_last_period_that_is_over(period: str, begin: str, end: str) -> None:
    found = last_completed(period, datetime(2012, 7, 5, 10, 30))  # noqa: DTZ001  # naive UTC is the convention
    assert found == (datetime.fromisoformat(begin), datetime.fromisoformat(end))


@pytest.mark.parametrize("period", ["week", "", "day@noon"])
def test_other_words_are_refused(period: str) -> None:
    with pytest.raises(BadPeriod):
        last_completed(period, datetime(2012, 7, 5))  # noqa: DTZ001  # naive UTC is the convention
