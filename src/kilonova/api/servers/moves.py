"""Moves of servers: resize, migrate, live migrate, evacuate, and what may be done about them."""

import secrets
import string
import time
import uuid as uuids
from collections.abc import Mapping
from typing import Any

from kilonova.api import fields, notices, quota_limits
from kilonova.api.servers import finding
from kilonova.api.servers.create import flavor_columns
from kilonova.domain import lifecycle
from kilonova.domain import migration as kinds
from kilonova.domain.flavor import FlavorNotFound
from kilonova.domain.service import oldest_report
from kilonova.kit import codec
from kilonova.kit.errors import Invalid
from kilonova.kit.http.endpoint import Call, Endpoint, Reply
from kilonova.kit.http.schema import Field, Object, Schema
from kilonova.operations.build import over_limit
from kilonova.operations.confirm_resize import Settle
from kilonova.operations.evacuate import Evacuate
from kilonova.operations.live_migrate import LiveMigrate
from kilonova.operations.moving import KEPT
from kilonova.operations.resize import Resize
from kilonova.store import flavors, hosts, moves, server_mappings
from kilonova.store import operations as journal_rows
from kilonova.store.cells import Cell

_PATH = "/servers/{server_id}/action"
_RULES = "os_compute_api:servers:"
_MOVES = "os_compute_api:os-migrate-server:"
_CHECKED_WITHIN = 60.0
_ALPHABET = string.ascii_letters + string.digits
Row = Any


def _accept(call: Call, cell: Cell, row: Row, verb: str, command: Any, record: Mapping[str, Any]) -> None:
    """The operation together with the record of the move. Raises WrongState."""
    now = finding.now(call)
    common = {
        "uuid": command.migration,
        "server_uuid": row["uuid"],
        "project_id": call.context.project_id,
        "user_id": call.context.user_id,
        "status": "accepted",
        "source_compute": row["host"],
        "source_node": row["node"],
        "created_at": now,
        "updated_at": now,
    }

    def also(connection: Any, seen: Row) -> None:
        before = codec.text({name: seen[name] for name in KEPT})
        moves.insert(connection, {**common, "before": before, **record})

    finding.acceptor(call).accept(call.context, cell, row, verb, command, along=also)


def _ready(call: Call, rule: str, verb: str) -> tuple[Cell, Row]:
    """The server, if it may be moved now. Raises ServerNotFound, ServerLocked, WrongState."""
    cell, row = finding.find(call, rule)
    finding.unlocked(call, row)
    lifecycle.check(verb, row["uuid"], row["vm_state"], row["task_state"])
    return cell, row


def _flavor_numbers(call: Call, flavor_id: str) -> int | None:
    """The row number of a flavor, which may be gone."""
    with call.app.store.api.read() as connection:
        try:
            return int(flavors.find(connection, flavor_id, project_id=None, see_all=True)["id"])
        except FlavorNotFound:
            return None


def resize(call: Call) -> None:
    """To another flavor. Raises Invalid for one that cannot be, OverLimit (403)."""
    cell, row = _ready(call, _RULES + "resize", "resize")
    body = call.body
    flavor = _new_flavor(call, str(body["flavorRef"]), row)
    columns = flavor_columns(flavor, local_root=bool(row["image_ref"]))
    _check_quota(call, row, columns)
    columns["disk_config"] = body.get("OS-DCF:diskConfig", row["disk_config"])
    stays = call.app.compute.allow_resize_to_same_host
    command = Resize(migration=str(uuids.uuid4()), columns=columns, may_stay=stays)
    values = {
        "kind": kinds.RESIZE,
        "old_flavor": _flavor_numbers(call, row["flavor_id"]),
        "new_flavor": flavor["id"],
    }
    _accept(call, cell, row, "resize", command, values)


def _new_flavor(call: Call, reference: str, row: Row) -> Row:
    """Raises Invalid, SameFlavor, NoDiskLeft."""
    flavor_id = reference.rstrip("/").rsplit("/", 1)[-1]
    with call.app.store.api.read() as connection:
        try:
            flavor = flavors.find(
                connection,
                flavor_id,
                project_id=call.context.project_id,
                see_all=call.allow("context_is_admin", {}),
            )
        except FlavorNotFound as error:
            raise Invalid(f"flavorRef: {error}") from None
    if flavor["disabled"]:
        raise Invalid(f"flavorRef: Flavor {flavor_id} could not be found.")
    if flavor["flavor_id"] == row["flavor_id"]:
        raise kinds.SameFlavor
    if flavor["root_gb"] == 0 and codec.loads(row["flavor"])["disk"] != 0 and row["image_ref"]:
        raise kinds.NoDiskLeft
    return flavor


def _check_quota(call: Call, row: Row, columns: Mapping[str, Any]) -> None:
    """Whether the larger flavor fits now; the operation counts it. Raises OverLimit (403)."""
    quota = quota_limits.options(call, row["project_id"])
    more = {
        "instances": 0,
        "cores": max(0, columns["vcpus"] - row["vcpus"]),
        "ram": max(0, columns["memory_mb"] - row["memory_mb"]),
    }
    if quota.unlimited or not any(more.values()):
        return
    to = {"cores": max(columns["vcpus"], row["vcpus"]), "ram": max(columns["memory_mb"], row["memory_mb"])}
    with call.app.store.api.write() as connection:
        with connection.begin_nested() as point:
            fits = server_mappings.recount(connection, row["uuid"], to, quota.limits(), final=quota.unified)
            point.rollback()
        if not fits:
            raise over_limit(connection, (row["project_id"], row["user_id"]), more, quota)


def migrate(call: Call) -> None:
    """To another host, switched off; from 2.56 to one that the caller names."""
    cell, row = _ready(call, _MOVES + "migrate", "migrate")
    host = (call.body or {}).get("host") if call.at_least(56) else None
    if host is not None:
        call.demand(_MOVES + "migrate:host", finding.target_of(row))
        _check_host(cell, row, host)
    command = Resize(migration=str(uuids.uuid4()), host=host)
    number = _flavor_numbers(call, row["flavor_id"])
    _accept(call, cell, row, "migrate", command, {"kind": kinds.COLD, "old_flavor": number, "new_flavor": number})


def _check_host(cell: Cell, row: Row, host: str) -> None:
    """Raises Invalid for a host that is not there, SameHost."""
    with cell.database.read() as connection:
        if not hosts.node_exists(connection, host, None):
            raise Invalid(f"Compute host {host} could not be found.")
    if host == row["host"]:
        raise kinds.SameHost(uuid=row["uuid"], host=host)


def confirm(call: Call) -> None:
    """Accept the move."""
    _settle(call, "confirm_resize", "confirming")


def revert(call: Call) -> None:
    """Undo the move."""
    _settle(call, "revert_resize", "reverting")


def _settle(call: Call, verb: str, status: str) -> None:
    cell, row = _ready(call, _RULES + verb, verb)
    with cell.database.read() as connection:
        found = moves.of_server(connection, row["uuid"], {"finished"})
    if not found:
        raise Invalid("Instance has not been resized.")
    if verb == "revert_resize":
        _check_quota(call, row, codec.loads(found[0]["before"]))
    ident, now = found[0]["uuid"], finding.now(call)

    def also(connection: Any, _seen: Row) -> None:
        moves.update(connection, ident, {"status": status, "updated_at": now})

    finding.acceptor(call).accept(call.context, cell, row, verb, Settle(migration=ident), along=also)


def migrate_live(call: Call) -> None:
    """While it runs. Below 2.34 the reply waits for the checks of both hosts."""
    cell, row = _ready(call, _MOVES + "migrate_live", "live_migrate")
    body, host = call.body, call.body["host"]
    if host is not None:
        call.demand(_MOVES + "migrate_live:host", finding.target_of(row))
        _check_host(cell, row, host)
    _check_up(call, cell, row)
    block = body["block_migration"]
    command = LiveMigrate(
        migration=str(uuids.uuid4()),
        host=host,
        forced=host is not None and _forced(call, 30),
        block=None if block == "auto" else fields.truth(block),
        over_commit=call.at_least(25) or fields.truth(body["disk_over_commit"]),
    )
    number = _flavor_numbers(call, row["flavor_id"])
    record = {"kind": kinds.LIVE, "old_flavor": number, "new_flavor": number}
    _accept(call, cell, row, "live_migrate", command, record)
    if not call.at_least(34):
        _await_checks(cell, row["uuid"], command.migration)


def _forced(call: Call, since: int) -> bool:
    """Before ``force`` came, a named host was not asked of the scheduler."""
    return fields.truth(call.body.get("force", False)) if call.at_least(since) else True


def _check_up(call: Call, cell: Cell, row: Row) -> None:
    """The source has to take part. Raises Invalid."""
    if not _is_up(call, cell, row["host"]):
        raise Invalid(f"Compute service of {row['host']} is unavailable at this time.")


def _is_up(call: Call, cell: Cell, host: str) -> bool:
    oldest = oldest_report(call.app.clock.now(), call.app.compute.service_down_time)
    with cell.database.read() as connection:
        return hosts.is_up(hosts.service(connection, host), oldest)


def _await_checks(cell: Cell, uuid: str, migration: str) -> None:
    """Raises Invalid with the reason when the checks fail."""
    deadline = time.monotonic() + _CHECKED_WITHIN
    while time.monotonic() < deadline:
        with cell.database.read() as connection:
            record = moves.get(connection, migration)
            operation = journal_rows.of_server(connection, uuid)[0]
        if record is None or record["status"] in {"running", "post-migrating", "completed"}:
            return
        if operation["state"] == "failed":
            raise Invalid(str(operation["error"]))
        time.sleep(0.05)


def evacuate(call: Call) -> Reply:
    """From a host that is down. Raises HostInUse, Invalid."""
    cell, row = _ready(call, "os_compute_api:os-evacuate", "evacuate")
    body, host = call.body, call.body.get("host")
    if host is not None:
        _check_host(cell, row, host)
    if _is_up(call, cell, row["host"]):
        raise kinds.HostInUse(host=row["host"])
    password = body.get("adminPass") or _password(call.app.compute.password_length)
    command = Evacuate(
        migration=str(uuids.uuid4()),
        host=host,
        forced=host is not None and _forced(call, 29),
        stays_off=call.at_least(95),
        admin_pass=password,
    )
    number = _flavor_numbers(call, row["flavor_id"])
    record = {"kind": kinds.EVACUATION, "old_flavor": number, "new_flavor": number}
    _accept(call, cell, row, "evacuate", command, record)
    told = not call.at_least(14) and call.app.api.enable_instance_password
    return Reply({"adminPass": password} if told else None)


def _password(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


_ANY_VALUE: Any = {}
_HOST = Field(name="host", schema=fields.HOST)
_PASS = Field(name="adminPass", schema={"type": "string"}, until=(2, 94))
_BODIES: dict[str, Any] = {
    "resize": Object(
        (
            Field(name="flavorRef", schema={"type": ["string", "integer"], "minLength": 1}, required=True),
            Field(name="OS-DCF:diskConfig", schema={"enum": ["AUTO", "MANUAL"]}),
        )
    ),
    "evacuate": Object(
        (
            _HOST,
            _PASS,
            Field(name="onSharedStorage", schema=fields.BOOLEAN, until=(2, 13), required=True),
            Field(name="force", since=(2, 29), schema=fields.BOOLEAN, until=(2, 67)),
        )
    ),
    "os-migrateLive": Object(
        (
            Field(name="host", schema=fields.nullable(fields.HOST), required=True),
            Field(name="block_migration", schema=fields.BOOLEAN, required=True, until=(2, 24)),
            Field(
                name="block_migration",
                schema={"anyOf": [fields.BOOLEAN, {"enum": ["auto"]}]},
                required=True,
                since=(2, 25),
            ),
            Field(name="disk_over_commit", schema=fields.BOOLEAN, required=True, until=(2, 24)),
            Field(name="force", since=(2, 30), schema=fields.BOOLEAN, until=(2, 67)),
        )
    ),
}
_MIGRATE = Schema(
    Object(
        (
            Field(name="migrate", schema=_ANY_VALUE, required=True, until=(2, 55)),
            Field(
                name="migrate",
                required=True,
                since=(2, 56),
                schema={
                    "type": ["object", "null"],
                    "properties": {"host": fields.HOST},
                    "additionalProperties": False,
                },
            ),
        )
    )
)


def _body(action: str) -> Schema:
    if action == "migrate":
        return _MIGRATE
    return Schema(Object((Field(name=action, schema=_BODIES.get(action, _ANY_VALUE), required=True),)))


def _action(action: str, handler: Any, summary: str, status: int = 202) -> Endpoint:
    return Endpoint(
        method="POST",
        path=_PATH,
        action=action,
        handler=handler,
        body=_body(action),
        status=status,
        summary=summary,
    )


ENDPOINTS = (
    _action("resize", resize, "Move a server to another flavor"),
    _action("confirmResize", confirm, "Accept a finished resize or migration", 204),
    _action("revertResize", revert, "Undo a finished resize or migration"),
    _action("migrate", migrate, "Move a server to another host, switched off"),
    _action("os-migrateLive", migrate_live, "Move a running server to another host"),
    _action(
        "evacuate", notices.acted("instance.evacuate", evacuate), "Bring a server of a lost host up elsewhere", 200
    ),
)
