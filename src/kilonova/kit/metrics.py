"""Numbers about this process for Prometheus. They are off, and cost a call of an empty method, until ``turn_on``.

A metric is declared beside the code that knows it::

    _HITS = metrics.counter("kilonova_token_cache", "Tokens looked up", "result")
    …
    _HITS.add("hit")
"""

import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_LONG_SECONDS = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus-client's variable: the folder where processes of one service keep their numbers."""


class Metric:
    """One name, with values for each combination of labels."""

    def __init__(self, kind: str, name: str, text: str, labels: Sequence[str], **details: Any) -> None:
        self._declared = (kind, name, text, labels, details)
        self._of: Callable[..., Any] | None = None
        self._children: dict[tuple[str, ...], Any] = {}

    @property
    def on(self) -> bool:
        """For what must be found out first."""
        return self._of is not None

    def add(self, *labels: str, by: float = 1) -> None:
        """Count."""
        if self._of is not None:
            self._child(labels).inc(by)

    def put(self, value: float, *labels: str) -> None:
        """It is that much now."""
        if self._of is not None:
            self._child(labels).set(value)

    def observe(self, seconds: float, *labels: str) -> None:
        """It took that long this time."""
        if self._of is not None:
            self._child(labels).observe(seconds)

    def forget(self) -> None:
        """Drop all values: those that are not put again are no more."""
        if self._of is not None:
            self._children.clear()
            self._real.clear()

    def _child(self, labels: tuple[str, ...]) -> Any:
        found = self._children.get(labels)
        if found is None:
            found = self._children[labels] = self._of(*labels) if self._of is not None else None
        return found

    def turn_on(self, library: Any, registry: Any) -> None:
        """Make it real."""
        kind, name, text, labels, details = self._declared
        self._real = getattr(library, kind)(name, text, labels, registry=registry, **details)
        self._of = self._real.labels if labels else lambda: self._real


class Metrics:
    """All that a process tells."""

    def __init__(self) -> None:
        self._declared: list[Metric] = []
        self._at_scrape: list[Callable[[], None]] = []
        self._library: Any = None
        self._registry: Any = None
        self._lock = threading.Lock()

    @property
    def on(self) -> bool:
        """Somebody listens."""
        return self._registry is not None

    def turn_on(self) -> None:
        """From here on numbers are kept. In this process alone, or in a folder for several, if that is set."""
        with self._lock:
            if self._registry is not None:
                return
            import prometheus_client  # noqa: PLC0415  # only where somebody listens

            self._library, self._registry = prometheus_client, prometheus_client.CollectorRegistry()
            prometheus_client.ProcessCollector(registry=self._registry)
            for metric in self._declared:
                metric.turn_on(self._library, self._registry)

    def at_scrape(self, look: Callable[[], None]) -> None:
        """Have ``look`` put what is cheaper to find out when it is asked for."""
        self._at_scrape.append(look)

    def text(self, accept: str) -> tuple[str, bytes]:
        """Content type and document, as OpenMetrics or Prometheus's older form."""
        from prometheus_client import CollectorRegistry, exposition, multiprocess  # noqa: PLC0415  # as above

        registry = self._registry
        if SHARED in os.environ:
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library's
        for look in self._at_scrape:
            look()
        encode, kind = exposition.choose_encoder(accept)
        return str(kind), bytes(encode(registry))

    def declare(self, metric: Metric) -> Metric:
        """One more."""
        with self._lock:
            self._declared.append(metric)
            if self._registry is not None:
                metric.turn_on(self._library, self._registry)
        return metric


METRICS = Metrics()
"""This process's."""


def counter(name: str, text: str, *labels: str) -> Metric:
    """What only grows."""
    return METRICS.declare(Metric("Counter", name, text, labels))


def gauge(name: str, text: str, *labels: str) -> Metric:
    """What goes up and down."""
    return METRICS.declare(Metric("Gauge", name, text, labels))


def timer(name: str, text: str, *labels: str, long: bool = False) -> Metric:
    """How long things take, and how often they happen. ``long``: seconds to minutes rather than milliseconds."""
    return METRICS.declare(Metric("Histogram", name, text, labels, buckets=_LONG_SECONDS if long else _SECONDS))
