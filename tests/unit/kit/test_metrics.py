from collections.abc import Callable

import pytest

from kilonova.kit.metrics import Metric, Metrics

OPEN = "application/openmetrics-text; version=1.0.0"


def lines(metrics: Metrics, accept: str = OPEN) -> list[str]:
    return [line for line in metrics.text(accept)[1].decode().splitlines() if line.startswith("a_")]


def test_nothing_is_kept_before_somebody_listens() -> None:
    metrics = Metrics()
    early = metrics.declare(Metric("Counter", "a_things", "Things", ("kind",)))
    early.add("lost")
    metrics.turn_on()
    metrics.turn_on()
    late = metrics.declare(Metric("Gauge", "a_size", "Size", ()))
    early.add("kept")
    early.add("kept", by=2)
    late.put(7)
    assert early.on
    assert [line for line in lines(metrics) if "_created" not in line] == [
        'a_things_total{kind="kept"} 3.0',
        "a_size 7.0",
    ]


def test_timers_count_by_length() -> None:
    metrics = Metrics()
    metrics.turn_on()
    timer = metrics.declare(Metric("Histogram", "a_seconds", "Time", ("route",), buckets=(0.1, 1.0)))
    timer.observe(0.05, "/x")
    timer.observe(5, "/x")
    found = dict(line.rsplit(" ", 1) for line in lines(metrics))
    assert found['a_seconds_bucket{le="0.1",route="/x"}'] == "1.0"
    assert found['a_seconds_bucket{le="+Inf",route="/x"}'] == "2.0"
    assert found['a_seconds_sum{route="/x"}'] == "5.05"


def test_looked_up_when_asked_for_and_forgotten() -> None:
    metrics = Metrics()
    metrics.turn_on()
    gauge = metrics.declare(Metric("Gauge", "a_size", "Size", ("of",)))
    gauge.put(1, "old")

    def look() -> None:
        gauge.forget()
        gauge.put(2, "new")

    metrics.at_scrape(look)
    assert lines(metrics) == ['a_size{of="new"} 2.0']


@pytest.mark.parametrize(("accept", "kind"), [(OPEN, "application/openmetrics-text"), ("*/*", "text/plain")])
def test_both_forms(accept: str, kind: str) -> None:
    metrics = Metrics()
    metrics.turn_on()
    found, body = metrics.text(accept)
    assert found.startswith(kind)
    assert body.endswith(b"# EOF\n") == (kind != "text/plain")


@pytest.mark.parametrize(
    "use", [lambda m: m.add("x"), lambda m: m.put(1, "x"), lambda m: m.observe(1, "x"), Metric.forget]
)
def test_off_is_off(use: Callable[[Metric], None]) -> None:
    metric = Metric("Gauge", "a", "A", ("b",))
    use(metric)
    assert metric._children == {}
