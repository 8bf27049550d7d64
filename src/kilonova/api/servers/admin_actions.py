"""``os-resetState``, ``injectNetworkInfo``, ``trigger_crash_dump`` and ``changePassword``."""

from kilonova.api import fields
from kilonova.api.servers import finding
from kilonova.domain import lifecycle
from kilonova.kit import codec
from kilonova.kit.errors import Conflict, KilonovaError, Unsupported
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import Field
from kilonova.kit.rpc.contract import NoAnswer
from kilonova.operations import refresh_network
from kilonova.store import operations, servers


class PasswordNotSet(Conflict):
    """The guest did not take it (409)."""

    template = "Failed to set admin password on {uuid} because {reason}"


def reset_state(call: Call) -> None:
    """The server is what the administrator says; what was being done to it is given up at its next step."""
    cell, row = finding.find(call, "os_compute_api:os-admin-actions:reset_state")
    now = finding.now(call)
    values = {"vm_state": call.body["state"], "task_state": None, "updated_at": now}
    with cell.database.write() as connection:
        operations.cancel_earlier(connection, row["uuid"], now)
        servers.update(connection, row["uuid"], values)


def inject_network_info(call: Call) -> None:
    """The ports are read anew; guests learn of them by DHCP or metadata, nothing is pushed into them."""
    cell, row = finding.find(call, "os_compute_api:os-admin-actions:inject_network_info")
    finding.unlocked(call, row)
    finding.on_host(row)
    refresh_network.accept(call.app.clock, call.app.bell, call.context, cell, [row])


def trigger_crash_dump(call: Call) -> None:
    """A non-maskable interrupt for the guest."""
    finding.act(call, "os_compute_api:servers:trigger_crash_dump", "trigger_crash_dump")


def change_password(call: Call) -> None:
    """Done while the caller waits: nothing but the guest ever sees the password."""
    cell, row = finding.find(call, "os_compute_api:os-admin-password")
    finding.unlocked(call, row)
    lifecycle.check("change_password", row["uuid"], row["vm_state"], row["task_state"])
    finding.on_host(row)
    properties = codec.loads(row["image"]).get("properties", {}) if row["image"] else {}
    windows = properties.get("os_type") == "windows"
    user = properties.get("os_admin_user") or ("Administrator" if windows else "root")
    arguments = {"uuid": row["uuid"], "user": user, "password": call.body["adminPass"]}
    failure: KilonovaError | None = None
    try:
        call.app.hosts.once(row["host"], "set_password", arguments)
    except KilonovaError as error:
        failure = error
    finding.acceptor(call).note(call.context, cell, row, "change_password", {}, ran=("host", failure))
    if isinstance(failure, Unsupported | NoAnswer):
        raise failure
    if failure is not None:
        raise PasswordNotSet(uuid=row["uuid"], reason=str(failure)) from failure


_PATH = "/servers/{server_id}/action"
ENDPOINTS = (
    Endpoint(
        method="POST",
        path=_PATH,
        action="os-resetState",
        handler=reset_state,
        body=fields.wrapped(
            "os-resetState", Field(name="state", schema={"type": "string", "enum": ["active", "error"]}, required=True)
        ),
        status=202,
        summary="Set the recorded state of a server",
    ),
    Endpoint(
        method="POST",
        path=_PATH,
        action="injectNetworkInfo",
        handler=inject_network_info,
        body=fields.ignored("injectNetworkInfo"),
        status=202,
        summary="Read a server's ports anew",
    ),
    Endpoint(
        method="POST",
        path=_PATH,
        action="trigger_crash_dump",
        handler=trigger_crash_dump,
        since=(2, 17),
        body=fields.null("trigger_crash_dump"),
        status=202,
        summary="Make a guest write a crash dump",
    ),
    Endpoint(
        method="POST",
        path=_PATH,
        action="changePassword",
        handler=change_password,
        body=fields.wrapped("changePassword", Field(name="adminPass", schema={"type": "string"}, required=True)),
        status=202,
        summary="Change the administrator's password in a guest",
    ),
)
