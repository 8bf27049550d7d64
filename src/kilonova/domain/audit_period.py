"""Periods that usage is reported for: ``hour``, ``day``, ``month``, ``year``, each with an optional ``@offset``."""

from datetime import datetime, timedelta

from kilonova.kit.errors import Invalid

UNITS = ("hour", "day", "month", "year")


class BadPeriod(Invalid):
    """``[DEFAULT] instance_usage_audit_period`` is not what it should be."""

    template = "instance_usage_audit_period: {value} is not hour, day, month or year, with @offset if wanted"


def last_completed(period: str, before: datetime) -> tuple[datetime, datetime]:
    """Begin and end of the latest period that ended at ``before`` or earlier. Raises BadPeriod.

    The offset moves the boundary: minutes of an hour, hours of a day, days of a month, months of a year.
    """
    unit, _, text = period.partition("@")
    if unit not in UNITS or not (text or "0").isdecimal():
        raise BadPeriod(value=period)
    offset = int(text or 0)
    end = _boundary(unit, offset, before)
    return _boundary(unit, offset, end - timedelta(microseconds=1)), end


def current(period: str, now: datetime) -> tuple[datetime, datetime]:
    """The period that is under way, as far as it has come. Raises BadPeriod."""
    return last_completed(period, now)[1], now


def _boundary(unit: str, offset: int, moment: datetime) -> datetime:
    """The latest boundary that is not after ``moment``."""
    start = _start(unit, moment)
    found = _moved(unit, offset, start)
    return found if found <= moment else _moved(unit, offset, _start(unit, start - timedelta(microseconds=1)))


def _start(unit: str, moment: datetime) -> datetime:
    hour = moment.replace(minute=0, second=0, microsecond=0)
    if unit == "hour":
        return hour
    day = hour.replace(hour=0)
    if unit == "day":
        return day
    return day.replace(day=1) if unit == "month" else day.replace(month=1, day=1)


def _moved(unit: str, offset: int, start: datetime) -> datetime:
    if unit == "hour":
        return start + timedelta(minutes=offset)
    if unit == "day":
        return start + timedelta(hours=offset)
    if unit == "month":
        return start + timedelta(days=max(0, offset - 1))
    return start.replace(month=max(1, min(offset, 12)))
