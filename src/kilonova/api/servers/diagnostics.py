"""``/servers/{server_id}/diagnostics``: what a guest does at this moment."""

from datetime import datetime
from typing import Any

from kilonova.api import fields
from kilonova.api.servers import finding
from kilonova.domain.power import PowerState
from kilonova.hypervisor.contracts import Diagnostics
from kilonova.kit import codec
from kilonova.kit.http.endpoint import Call, Endpoint

_KIB_PER_MIB = 1024
_STATES = {
    PowerState.NOSTATE: "pending",
    PowerState.RUNNING: "running",
    PowerState.PAUSED: "paused",
    PowerState.SHUTDOWN: "shutdown",
    PowerState.CRASHED: "crashed",
    PowerState.SUSPENDED: "suspended",
}


def show(call: Call) -> Any:
    """Counters: a plain list up to 2.47, one shape for all drivers from 2.48."""
    _cell, row = finding.find(call, "os_compute_api:os-server-diagnostics")
    found = codec.unpack(finding.ask_host(call, row, "diagnostics", {"uuid": row["uuid"]}), Diagnostics)
    return _standard(call, row, found) if call.at_least(48) else _plain(found)


def _plain(found: Diagnostics) -> dict[str, Any]:
    """The keys are the hypervisor's own words for its devices."""
    values: dict[str, Any] = {f"cpu{cpu.id}_time": cpu.time for cpu in found.cpus}
    for disk in found.disks:
        values |= {
            f"{disk.device}_read_req": disk.read_requests,
            f"{disk.device}_read": disk.read_bytes,
            f"{disk.device}_write_req": disk.write_requests,
            f"{disk.device}_write": disk.write_bytes,
            f"{disk.device}_errors": -1 if disk.errors is None else disk.errors,
        }
    for nic in found.nics:
        values |= {
            f"{nic.device}_{way}{suffix}": getattr(nic, f"{way}_{name}")
            for way in ("rx", "tx")
            for suffix, name in (("", "octets"), ("_errors", "errors"), ("_drop", "drop"), ("_packets", "packets"))
        }
    values["memory"] = found.memory_max_mb * _KIB_PER_MIB
    return {**values, **{f"memory-{name}": value for name, value in found.memory.items()}}


def _standard(call: Call, row: Any, found: Diagnostics) -> dict[str, Any]:
    return {
        "state": _STATES[found.power],
        "driver": found.driver,
        "hypervisor": found.hypervisor,
        "hypervisor_os": "linux",
        "uptime": _uptime(call, row),
        "config_drive": bool(row["config_drive"]),
        "memory_details": {"maximum": found.memory_max_mb, "used": found.memory_used_mb},
        "num_cpus": len(found.cpus),
        "num_disks": len(found.disks),
        "num_nics": len(found.nics),
        "cpu_details": [{"id": cpu.id, "time": cpu.time, "utilisation": None} for cpu in found.cpus],
        "disk_details": [
            {
                "read_bytes": disk.read_bytes,
                "read_requests": disk.read_requests,
                "write_bytes": disk.write_bytes,
                "write_requests": disk.write_requests,
                "errors_count": disk.errors,
            }
            for disk in found.disks
        ],
        "nic_details": [
            {
                "mac_address": nic.mac,
                "rx_octets": nic.rx_octets,
                "rx_errors": nic.rx_errors,
                "rx_drop": nic.rx_drop,
                "rx_packets": nic.rx_packets,
                "rx_rate": None,
                "tx_octets": nic.tx_octets,
                "tx_errors": nic.tx_errors,
                "tx_drop": nic.tx_drop,
                "tx_packets": nic.tx_packets,
                "tx_rate": None,
            }
            for nic in found.nics
        ],
    }


def _uptime(call: Call, row: Any) -> int | None:
    """Seconds since it was built."""
    if row["launched_at"] is None:
        return None
    began = datetime.fromisoformat(row["launched_at"])
    now = call.app.clock.now()
    return max(0, int((now.replace(tzinfo=None) - began.replace(tzinfo=None)).total_seconds()))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/servers/{server_id}/diagnostics",
        handler=show,
        query=fields.no_query(),
        strict_query=(2, 102),
        summary="Show what a guest does",
    ),
)
