"""``GET /ext/v1/servers/{server_id}/why``: why a server is where it is, or why it failed, from the journal.

Numbers and reasons for everybody who may see the server; names of hosts only for those who see them there, too.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from kilonova.api import fields
from kilonova.api.servers import finding
from kilonova.domain.lifecycle import HIDDEN, LIFECYCLE
from kilonova.kit import codec
from kilonova.kit.clock import show as shown_moment
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.store import operations

_RULE = "os_compute_api:servers:show"
_HOST_RULE = "os_compute_api:os-extended-server-attributes"
Row = Mapping[str, Any]


def show(call: Call) -> Any:
    """Every choice of a host made for the server, oldest first, and the last failure."""
    cell, row = finding.find(call, _RULE)
    open_ = call.allow(_HOST_RULE, finding.target_of(row))
    with cell.database.read() as connection:
        found = operations.of_server(connection, row["uuid"], HIDDEN)[::-1]
        steps = operations.steps_of(connection, [operation["id"] for operation in found])
    by_operation: dict[str, list[Row]] = {}
    for step in steps:
        by_operation.setdefault(step["operation_id"], []).append(step)
    choices = [
        choice
        for operation in found
        for choice in _choices(operation, by_operation.get(operation["id"], []), open_=open_)
    ]
    failed = [operation for operation in found if operation["state"] == "failed"]
    failure = _failure(failed[-1], by_operation.get(failed[-1]["id"], []), open_=open_) if failed else None
    return {"why": {"server_id": row["uuid"], "placements": choices, "last_failure": failure}}


def _choices(operation: Row, steps: list[Row], *, open_: bool) -> Iterator[dict[str, Any]]:
    """A ``schedule`` step is a choice; what its host then said is the ``host`` step of the same number."""
    by_name = {step["name"]: step for step in steps}
    for step in steps:
        word, _, number = step["name"].partition("-")
        if word != "schedule" or step["finished_at"] is None:
            continue
        result = codec.loads(step["result"]) or {}
        tried = by_name.get("host" + (f"-{number}" if number else ""))
        tally = result.get("why", result)
        refusal = step["error"] or (tried["error"] if tried else None)
        yield {
            "action": _action(operation),
            "request_id": operation["request_id"],
            "time": shown_moment(step["finished_at"]),
            "outcome": "no_host" if step["error"] else "host_failed" if refusal else "placed",
            "host": result.get("host") if open_ else None,
            "had_room": tally.get("candidates", 0),
            "filters": filters(tally),
            "reason": _words(refusal, result.get("host"), open_=open_),
        }


def filters(tally: Row) -> list[dict[str, Any]]:
    """What each filter left, in their order; the reason where it refused some."""
    return [
        {"name": name, "left": left, "reason": words[0] if words else None}
        for name, left, *words in tally.get("filters", ())
    ]


def _failure(operation: Row, steps: list[Row], *, open_: bool) -> dict[str, Any]:
    hosts = {step["host"] for step in steps if step["host"]}
    message = operation["error"]
    for host in hosts:
        message = _words(message, host, open_=open_)
    return {
        "action": _action(operation),
        "request_id": operation["request_id"],
        "time": shown_moment(operation["finished_at"]),
        "message": message,
    }


def _action(operation: Row) -> str:
    known = LIFECYCLE.get(operation["verb"])
    return known.action_name if known else str(operation["verb"])


def _words(message: str | None, host: str | None, *, open_: bool) -> str | None:
    """A host's own words may name it."""
    return message if open_ or not message or not host else message.replace(host, "its host")


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/ext/v1/servers/{server_id}/why",
        handler=show,
        query=fields.no_query(),
        strict_query=(2, 1),
        summary="Why a server is where it is, or failed",
    ),
)
