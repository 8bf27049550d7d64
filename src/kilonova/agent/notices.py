"""What a compute host tells by itself: that its hypervisor is away, and what it measures."""

from collections.abc import Mapping
from datetime import UTC, datetime

from kilonova.domain.notifications.envelope import exception, wrapped
from kilonova.hypervisor.contracts import NodeFacts
from kilonova.kit.clock import show, stamp
from kilonova.kit.notices import ERROR, INFO, Notice, Notices


class HostNotices:
    """Versioned notifications of one compute host."""

    def __init__(self, notices: Notices, host: str, address: str) -> None:
        self._notices = notices
        self._host = host
        self._address = address

    def connect_failed(self, error: Exception) -> None:
        """The hypervisor does not answer."""
        data = {"ip": self._address, "reason": exception(error)}
        self._send("libvirt.connect.error", "LibvirtErrorPayload", data, ERROR)

    def measured(self, node: NodeFacts, metrics: Mapping[str, float]) -> None:
        """Monitors have been read."""
        now = show(stamp(datetime.now(UTC)))
        entries = [
            wrapped(
                "MetricPayload",
                {"name": name, "value": _whole(name, value), "numa_membw_values": None, "timestamp": now}
                | {"source": "libvirt.LibvirtDriver"},
            )
            for name, value in sorted(metrics.items())
        ]
        about = {"host": self._host, "host_ip": self._address, "nodename": node.name}
        self._send("metrics.update", "MetricsPayload", {**about, "metrics": entries}, INFO)

    def _send(self, event: str, payload: str, data: Mapping[str, object], priority: str) -> None:
        publisher = f"nova-compute:{self._host}"
        notice = Notice(event_type=event, publisher=publisher, payload=wrapped(payload, data), priority=priority)
        self._notices.send(notice)


def _whole(name: str, value: float) -> int:
    """Shares are told in percent."""
    return round(value * 100) if name.endswith("percent") else int(value)
