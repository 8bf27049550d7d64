"""``/os-instance_usage_audit_log``: of which hosts a period's usage was told (``[DEFAULT] instance_usage_audit``)."""

from datetime import datetime
from typing import Any
from urllib.parse import unquote

from kilonova.api import fields
from kilonova.api.microversions import STRICT_ALL
from kilonova.domain.audit_period import last_completed
from kilonova.domain.service import COMPUTE
from kilonova.kit.clock import stamp
from kilonova.kit.errors import Invalid
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.store import services, usage

_PATH = "/os-instance_usage_audit_log"
_RULE = "os_compute_api:os-instance-usage-audit-log:"
_ENTRY = ("state", "instances", "errors", "message")


def index(call: Call) -> Any:
    """The last period that is over."""
    return {"instance_usage_audit_logs": _log(call, call.app.clock.now())}


def show(call: Call) -> Any:
    """The last period that was over at a moment. Raises Invalid."""
    text = unquote(call.params["before_timestamp"])
    form = "%Y-%m-%d %H:%M:%S.%f" if "." in text else "%Y-%m-%d %H:%M:%S"
    try:
        before = datetime.strptime(text, form)  # noqa: DTZ007  # naive UTC is the convention
    except ValueError:
        raise Invalid(f"Invalid timestamp for date {text}") from None
    return {"instance_usage_audit_log": _log(call, before)}


def _log(call: Call, before: datetime) -> dict[str, Any]:
    begin, end = last_completed(call.app.compute.instance_usage_audit_period, before)
    hosts: list[str] = []
    log: dict[str, dict[str, Any]] = {}

    def look(connection: Any) -> tuple[list[str], list[Any]]:
        there = [row["host"] for row in services.page(connection, binary=COMPUTE)]
        return there, usage.audits(connection, stamp(begin), stamp(end))

    for there, audits in call.app.store.ask(look, call.app.store.working).values():
        hosts += there
        log |= {row["host"]: {name: row[name] for name in _ENTRY} for row in audits}
    running = [host for host, entry in log.items() if entry["state"] == usage.RUNNING]
    missing = [host for host in hosts if host not in log]
    done, errors = len(log) - len(running), sum(entry["errors"] for entry in log.values())
    words = "ALL hosts done." if done == len(hosts) else f"{done} of {len(hosts)} hosts done."
    return {
        "period_beginning": str(begin),
        "period_ending": str(end),
        "num_hosts": len(hosts),
        "num_hosts_done": done,
        "num_hosts_running": len(running),
        "num_hosts_not_run": len(missing),
        "hosts_not_run": missing,
        "total_instances": sum(entry["instances"] for entry in log.values()),
        "total_errors": errors,
        "overall_status": f"{words} {errors} errors.",
        "log": log,
    }


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=_PATH,
        handler=index,
        rule=_RULE + "list",
        query=fields.no_query(),
        strict_query=STRICT_ALL,
        summary="State of the usage audit",
    ),
    Endpoint(
        method="GET",
        path=_PATH + "/{before_timestamp}",
        handler=show,
        rule=_RULE + "show",
        query=fields.no_query(),
        strict_query=STRICT_ALL,
        summary="State of an earlier usage audit",
    ),
)
