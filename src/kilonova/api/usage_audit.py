"""``/os-instance_usage_audit_log``: of which hosts the usage of a period is known.

It is counted from the cells' databases, where every server's life is written; with ``[DEFAULT] instance_usage_audit``
off nothing is audited, and no host has run.
"""

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
    options = call.app.compute
    begin, end = last_completed(options.instance_usage_audit_period, before)
    hosts: list[str] = []
    counts: dict[str, int] = {}

    def look(connection: Any) -> tuple[list[str], dict[str, int]]:
        there = [row["host"] for row in services.page(connection, binary=COMPUTE)]
        return there, usage.by_host(connection, stamp(begin), stamp(end)) if options.instance_usage_audit else {}

    for there, counted in call.app.store.ask(look, call.app.store.working).values():
        hosts += there
        counts |= counted
    done = hosts if options.instance_usage_audit else []
    log = {host: _entry(host, counts.get(host, 0)) for host in done}
    missing = [host for host in hosts if host not in log]
    words = "ALL hosts done." if len(log) == len(hosts) else f"{len(log)} of {len(hosts)} hosts done."
    return {
        "period_beginning": str(begin),
        "period_ending": str(end),
        "num_hosts": len(hosts),
        "num_hosts_done": len(log),
        "num_hosts_running": 0,
        "num_hosts_not_run": len(missing),
        "hosts_not_run": missing,
        "total_instances": sum(entry["instances"] for entry in log.values()),
        "total_errors": 0,
        "overall_status": f"{words} 0 errors.",
        "log": log,
    }


def _entry(host: str, count: int) -> dict[str, Any]:
    message = f"Instance usage audit ran for host {host}, {count} instances."
    return {"state": "DONE", "instances": count, "errors": 0, "message": message}


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
