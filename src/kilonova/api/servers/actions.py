"""Actions that need nothing but the server: start, stop, reboot, pause, suspend and their opposites, lock, unlock."""

from collections.abc import Callable
from typing import Any

from kilonova.api import fields, notices
from kilonova.api.servers import finding
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import Field, Object, Schema
from kilonova.operations.reboot import Reboot

_PATH = "/servers/{server_id}/action"


def _simple(rule: str, verb: str) -> Callable[[Call], None]:
    return lambda call: finding.act(call, rule, verb)


def reboot(call: Call) -> None:
    """Soft or hard."""
    hard = call.body["type"].upper() == "HARD"
    finding.act(call, "os_compute_api:servers:reboot", "reboot_hard" if hard else "reboot", Reboot(hard=hard))


def lock(call: Call) -> None:
    """Only administrators may act on the server from now on, or whoever locked it unlocks it."""
    cell, row = finding.find(call, "os_compute_api:os-lock-server:lock")
    own = row["project_id"] == call.context.project_id
    body = call.body
    reason = body.get("locked_reason") if isinstance(body, dict) and call.at_least(73) else None
    values = {"locked_by": "owner" if own and not call.context.is_admin else "admin", "locked_reason": reason}
    finding.acceptor(call).note(call.context, cell, row, "lock", values)


def unlock(call: Call) -> None:
    """Undo a lock; one that an administrator set takes the override rule."""
    cell, row = finding.find(call, "os_compute_api:os-lock-server:unlock")
    if row["locked_by"] == "admin":
        call.demand(finding.OVERRIDE_RULE, finding.target_of(row))
    finding.acceptor(call).note(call.context, cell, row, "unlock", {"locked_by": None, "locked_reason": None})


_REBOOT = Schema(
    Object(
        (
            Field(
                name="reboot",
                required=True,
                schema=Object(
                    (
                        Field(
                            name="type",
                            required=True,
                            schema={"enum": ["HARD", "Hard", "hard", "SOFT", "Soft", "soft"]},
                        ),
                    )
                ),
            ),
        )
    )
)
_REASON: Any = {"type": "string", "minLength": 1, "maxLength": 255}
_LOCK = Schema(
    Object(
        (
            Field(name="lock", schema={}, required=True, until=(2, 72)),
            Field(
                name="lock",
                required=True,
                since=(2, 73),
                schema={
                    "type": ["object", "null"],
                    "properties": {"locked_reason": _REASON},
                    "additionalProperties": False,
                },
            ),
        )
    )
)


def _action(action: str, handler: Callable[[Call], Any], body: Schema, summary: str) -> Endpoint:
    return Endpoint(method="POST", path=_PATH, action=action, handler=handler, body=body, status=202, summary=summary)


_ROWS = (
    ("os-start", "os_compute_api:servers:start", "start", "Start a stopped server"),
    ("os-stop", "os_compute_api:servers:stop", "stop", "Stop a server"),
    ("pause", "os_compute_api:os-pause-server:pause", "pause", "Pause a server"),
    ("unpause", "os_compute_api:os-pause-server:unpause", "unpause", "Let a paused server run on"),
    ("suspend", "os_compute_api:os-suspend-server:suspend", "suspend", "Save a server's memory and switch it off"),
    ("resume", "os_compute_api:os-suspend-server:resume", "resume", "Resume a suspended server"),
)

ENDPOINTS = (
    *(_action(action, _simple(rule, verb), fields.ignored(action), summary) for action, rule, verb, summary in _ROWS),
    _action("reboot", reboot, _REBOOT, "Reboot a server"),
    _action("lock", notices.acted("instance.lock", lock), _LOCK, "Lock a server"),
    _action("unlock", notices.acted("instance.unlock", unlock), fields.ignored("unlock"), "Unlock a server"),
)
