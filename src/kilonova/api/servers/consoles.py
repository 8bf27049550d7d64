"""Console output, and URLs of remote consoles with their tokens."""

import hashlib
import secrets
from datetime import timedelta
from typing import Any, Never

from kilonova.api import fields
from kilonova.api.servers import finding
from kilonova.kit.clock import stamp
from kilonova.kit.errors import Invalid, NotFound, Unsupported
from kilonova.kit.http.document import Document, Out
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import Field, Object, Schema
from kilonova.store import console_tokens
from kilonova.store.cells import Cell

_MOST_OUTPUT = 100 << 10
_RULE = "os_compute_api:os-remote-consoles"


class TokenNotFound(NotFound):
    """Unknown, or expired (404)."""

    template = "Token not found"


_TOKEN = Document(
    (
        Out("instance_uuid", "server_uuid"),
        Out("host"),
        Out("port"),
        Out("tls_port", since=(2, 99)),
        Out("internal_access_path"),
    )
)
_KINDS = {
    "vnc": ("novnc", "xvpvnc"),
    "spice": ("spice-html5", "spice-direct"),
    "rdp": ("rdp-html5",),
    "serial": ("serial",),
    "mks": ("webmks",),
}
_OLD = (
    ("os-getVNCConsole", ("novnc", "xvpvnc"), "Open a VNC console"),
    ("os-getSPICEConsole", ("spice-html5",), "Open a SPICE console"),
    ("os-getSerialConsole", ("serial",), "Open a serial console"),
)


def output(call: Call) -> Any:
    """The last lines of the serial console."""
    _cell, row = finding.find(call, "os_compute_api:os-console-output")
    body = call.body or {}
    wanted = body.get("length")
    text = finding.ask_host(call, row, "output", {"uuid": row["uuid"], "limit": _MOST_OUTPUT})
    if wanted is not None and int(wanted) != -1:
        lines = text.split("\n")
        trailing = lines and not lines[-1]
        count = int(wanted) + (1 if trailing else 0)
        text = "\n".join(lines[-count:]) if int(wanted) > 0 else ""
    return {"output": "".join(c for c in text if c.isprintable() or c in "\n\r\t\x1b")}


def remote_console(call: Call) -> Any:
    """A URL that opens the server's screen, or its serial port."""
    cell, row = finding.find(call, _RULE)
    wanted = call.body["remote_console"]
    protocol, kind = wanted["protocol"], wanted["type"]
    if kind not in _KINDS[protocol]:
        raise Invalid(f"type: Invalid console type {kind} for protocol {protocol}.")
    return {"remote_console": {"protocol": protocol, "type": kind, "url": url_of(call, cell, row, kind)}}


def old_console(call: Call) -> Any:
    """The older actions for the same."""
    cell, row = finding.find(call, _RULE)
    kind = call.body["type"]
    return {"console": {"type": kind, "url": url_of(call, cell, row, kind)}}


def rdp_console(call: Call) -> Never:
    """No hypervisor offers RDP any more. Raises Invalid."""
    raise Invalid(f"type: Unavailable console type rdp-html5: RDP consoles were removed ({call.path})")


def token(call: Call) -> Any:
    """Where the console of a token is, for a proxy."""
    call.demand("os_compute_api:os-console-auth-tokens", {})
    if not call.at_least(31):
        raise Invalid("Tokens are shown from microversion 2.31 on")
    wanted, now = hash_of(call.params["console_token"]), stamp(call.app.clock.now())
    for found in call.app.store.ask(lambda connection: console_tokens.find(connection, wanted, now)).values():
        if found is not None:
            return {"console": _TOKEN.compile(call.version)(found, None)}
    raise TokenNotFound


def url_of(call: Call, cell: Cell, row: Any, kind: str) -> str:
    """Ask the host where the console is, remember that under a fresh token, and say the URL."""
    if call.app.console.base_url(kind) is None:
        raise Invalid(f"type: Unavailable console type {kind}.")
    try:
        where = finding.ask_host(call, row, "console", {"uuid": row["uuid"], "kind": kind})
    except Unsupported as error:
        raise Invalid(f"type: Unavailable console type {kind}.") from error
    options = call.app.console
    secret = secrets.token_urlsafe(32)
    url = options.url(kind, secret)
    now = call.app.clock.now()
    values = {
        "token_hash": hash_of(secret),
        "server_uuid": row["uuid"],
        "kind": kind,
        "host": where["host"],
        "port": where["port"],
        "tls_port": where["tls_port"],
        "internal_access_path": where["internal_access_path"],
        "access_url": options.base_url(kind),
        "expires_at": stamp(now + timedelta(seconds=options.token_ttl)),
    }
    with cell.database.write() as connection:
        console_tokens.add(connection, values, stamp(now))
    return str(url)


def hash_of(secret: str) -> str:
    """What the database keeps of a token."""
    return hashlib.sha256(secret.encode()).hexdigest()


_CONSOLE = Object(
    (
        Field(name="protocol", schema={"enum": ["vnc", "spice", "rdp", "serial"]}, required=True, until=(2, 7)),
        Field(name="protocol", schema={"enum": ["vnc", "spice", "rdp", "serial", "mks"]}, required=True, since=(2, 8)),
        Field(
            name="type",
            schema={"enum": ["novnc", "xvpvnc", "rdp-html5", "spice-html5", "serial"]},
            required=True,
            until=(2, 7),
        ),
        Field(
            name="type",
            schema={"enum": ["novnc", "xvpvnc", "rdp-html5", "spice-html5", "serial", "webmks"]},
            required=True,
            since=(2, 8),
            until=(2, 98),
        ),
        Field(
            name="type",
            schema={"enum": ["novnc", "xvpvnc", "rdp-html5", "spice-html5", "spice-direct", "serial", "webmks"]},
            required=True,
            since=(2, 99),
        ),
    )
)

ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/servers/{server_id}/action",
        action="os-getConsoleOutput",
        handler=output,
        body=Schema(
            Object(
                (
                    Field(
                        name="os-getConsoleOutput",
                        required=True,
                        schema={
                            "type": ["object", "null"],
                            "properties": {
                                "length": {
                                    "type": ["integer", "string", "null"],
                                    "minimum": -1,
                                    "pattern": "^-?[0-9]+$",
                                    "maxLength": 9,
                                }
                            },
                            "additionalProperties": False,
                        },
                    ),
                )
            )
        ),
        summary="Show console output",
    ),
    Endpoint(
        method="POST",
        path="/servers/{server_id}/remote-consoles",
        handler=remote_console,
        since=(2, 6),
        body=Schema(Object((Field(name="remote_console", schema=_CONSOLE, required=True),))),
        summary="Open a remote console",
    ),
    *(
        Endpoint(
            method="POST",
            path="/servers/{server_id}/action",
            action=action,
            handler=old_console,
            until=(2, 5),
            body=fields.wrapped(action, Field(name="type", schema={"enum": list(kinds)}, required=True)),
            summary=summary,
        )
        for action, kinds, summary in _OLD
    ),
    Endpoint(
        method="POST",
        path="/servers/{server_id}/action",
        action="os-getRDPConsole",
        handler=rdp_console,
        until=(2, 5),
        summary="Removed",
    ),
    Endpoint(
        method="GET",
        path="/os-console-auth-tokens/{console_token}",
        handler=token,
        query=fields.no_query(),
        strict_query=(2, 99),
        summary="Show where a console is",
    ),
)
