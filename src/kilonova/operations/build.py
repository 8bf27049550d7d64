"""Building a server: accepted with its quota, run by a conductor through scheduling, claim, ports and the host."""

import contextlib
import secrets
import string
import uuid as uuids
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from kilonova.domain import machine_type
from kilonova.domain import server as states
from kilonova.domain.block_device import BlockDevice
from kilonova.domain.quota import OverLimit, QuotaOptions
from kilonova.hypervisor.contracts import HypervisorUnavailable
from kilonova.kit import codec
from kilonova.kit.clock import Clock, stamp
from kilonova.kit.context import Context
from kilonova.kit.errors import KilonovaError
from kilonova.operations import grouping, ports, rehome, volumes
from kilonova.operations.accepting import operation_row
from kilonova.operations.guests import network_columns, specification
from kilonova.operations.hosts import HostDown
from kilonova.operations.work import TRANSIENT, Outcome, Row, StepFailed, Work
from kilonova.scheduling.request import FlavorFacts, ImageFacts, ServerRequest
from kilonova.store import block_devices, quotas, server_mappings, servers
from kilonova.store import hosts as host_rows
from kilonova.store import operations as journal_rows
from kilonova.store import server_groups as group_rows
from kilonova.store.cells import Store

_ALPHABET = string.ascii_lowercase + string.digits
_COUNTED = server_mappings.COUNTED
_RANDOM = secrets.SystemRandom()
Plug = Callable[[Work, Row, str, str, int], list[dict[str, Any]]]
"""Makes or binds the server's ports: (work, server, host, zone, attempt) → NICs."""


@dataclass(frozen=True, kw_only=True)
class Build:
    """The command: what is not in the server's row."""

    admin_pass: str | None = None
    zone: str | None = None
    host: str | None = None
    node: str | None = None
    forced: bool = False
    group: str | None = None
    """Server group UUID."""
    token: str | None = None
    """The user's, where volumes must be made in the user's name; forgotten when the operation has ended."""
    volumes_near: bool = False
    """New volumes must be in the zone of the server's host."""


@dataclass(frozen=True, kw_only=True)
class NewServers:
    """What the API accepted for one ``POST /servers``, checked and resolved."""

    name: str
    row: Mapping[str, Any]
    """Columns of every server: flavor, image, networks, metadata …."""
    command: Build
    devices: Sequence[BlockDevice] = ()
    """Of every server."""
    least: int = 1
    most: int = 1
    own_hostname: bool = False
    reservation_id: str = field(default_factory=lambda: "r-" + "".join(_RANDOM.choices(_ALPHABET, k=8)))


def accept(  # the collaborators of the one call that spans both databases
    store: Store, clock: Clock, quota: QuotaOptions, bell: Any, context: Context, new: NewServers
) -> list[Row]:
    """Reserve quota, write the servers and their operations, ring. Raises OverLimit (403)."""
    now = stamp(clock.now())
    cell = store.home
    usage = {"instances": 1, "cores": new.row["vcpus"], "ram": new.row["memory_mb"]}
    uuid_list = [str(uuids.uuid4()) for _ in range(new.most)]
    with store.api.write() as connection:
        count = _reserve(connection, new, usage, quota)
        uuid_list = uuid_list[:count]
        mapping = {
            "cell_id": cell.id,
            "project_id": new.row["project_id"],
            "user_id": new.row["user_id"],
            "cores": usage["cores"],
            "ram": usage["ram"],
            "created_at": now,
            "sketch": sketch_of(new.row),
            "counted": True,
            "confirmed": False,
        }
        grouped = new.command.group is not None
        server_mappings.add(connection, [{"uuid": uuid, **mapping} for uuid in uuid_list], last=not grouped)
        if new.command.group is not None:
            group_rows.add_members(connection, new.command.group, uuid_list)
    rows: list[Row] = [_server_row(new, uuid, number, now) for number, uuid in enumerate(uuid_list)]
    operations = [operation_row(context, row, "create", new.command, now) for row in rows]
    devices = [(row["uuid"], replace(device, uuid=str(uuids.uuid4()))) for row in rows for device in new.devices]
    with cell.database.write() as connection:
        servers.insert(connection, rows, last=not devices)
        block_devices.insert_many(connection, devices, now)
        journal_rows.insert(connection, operations, last=True)
    bell(cell.id, [operation["id"] for operation in operations])
    return rows


def sketch_of(row: Row) -> str:
    """What is told of a server while its cell does not answer."""
    return codec.text({"flavor": codec.loads(row["flavor"]), "image": row["image_ref"], "zone": row["pinned_zone"]})


def _reserve(connection: Any, new: NewServers, one: Mapping[str, int], quota: QuotaOptions) -> int:
    """As many servers as the quota allows between ``least`` and ``most``. Raises OverLimit."""
    project, user = str(new.row["project_id"]), str(new.row["user_id"])

    def take(count: int) -> bool:
        wanted = {name: one[name] * count for name in _COUNTED}
        demand = server_mappings.Demand(project, user, wanted, quota.limits(), quota.unlimited, quota.unified)
        return server_mappings.reserve(connection, demand)

    if take(new.most):
        return new.most
    count = _largest(connection, new.least, new.most - 1, take)
    if count and take(count):
        return count
    raise over_limit(connection, (project, user), {name: one[name] * new.least for name in _COUNTED}, quota)


def over_limit(connection: Any, owner: tuple[str, str], wanted: Mapping[str, int], quota: QuotaOptions) -> OverLimit:
    """Which limits ``wanted`` would pass, in words. ``owner``: project and user."""
    used = server_mappings.usage(connection, owner[0])
    limits = quota.limits() if quota.unified else quotas.limits(connection, owner[0], quota.limits(), owner[1])
    return OverLimit.of(wanted, used, limits)


def _largest(connection: Any, low: int, high: int, take: Callable[[int], bool]) -> int:
    """The largest count between the two that can be taken, 0 for none; nothing stays taken."""
    found = 0
    while low <= high:
        middle = (low + high + 1) // 2
        with connection.begin_nested() as point:
            fits = take(middle)
            point.rollback()
        if fits:
            found, low = middle, middle + 1
        else:
            high = middle - 1
    return found


def _server_row(new: NewServers, uuid: str, number: int, now: str) -> dict[str, Any]:
    several = new.most > 1
    name = f"{new.name}-{number + 1}" if several else new.name
    hostname = new.row["hostname"]
    if several:
        hostname = f"{hostname}-{number + 1}"
    return {
        **new.row,
        "uuid": uuid,
        "name": name,
        "hostname": hostname or f"Server-{uuid}",
        "volumes": block_devices.shown(new.devices),
        "launch_index": number,
        "reservation_id": new.reservation_id,
        "vm_state": states.BUILDING,
        "task_state": "scheduling",
        "power_state": 0,
        "created_at": now,
        "updated_at": now,
        "deleted": 0,
    }


def run(work: Work, command: Build) -> Outcome:
    """Running on the host that was chosen for it."""
    return place(work, work.server(), command, ports.plug)


def place(work: Work, server: Row, command: Build, plug: Plug) -> Outcome:
    """Choose, claim, plug, start; on a host's failure the next host, until ``[scheduler] max_attempts``."""
    attempts = work.tools.chooser.attempts
    failures: list[HostFailed] = []
    for attempt in range(attempts):
        mark = work.mark()
        try:
            tried = [failure.fields["host"] for failure in failures]
            placed = _claim(work, server, command, attempt, tried)
            rehome.to(work, placed["cell"])
            nics = plug(work, server, placed["host"], placed["zone"], attempt)
            return _started(work, server, command, placed, nics, attempt)
        except HostFailed as error:
            failures.append(error)
        except NoHost as error:
            raise StepFailed(reason=_exhausted(failures) if failures else str(error)) from error
        if attempt == attempts - 1:
            break
        # Recorded, because a later resume must not take back what the next attempt has claimed and plugged.
        work.step(_numbered("undone", attempt), lambda: work.unwind(to=mark))  # noqa: B023  # called before the next round
        work.forget(mark)
    raise StepFailed(reason=_exhausted(failures))


class HostFailed(KilonovaError):
    """A host could not build the server; another may."""

    template = "Host {host}: {reason}"


class NoHost(KilonovaError):
    """No host can take the server; the words are the scheduler's."""

    template = "{reason}"


def _exhausted(failures: Sequence[HostFailed]) -> str:
    last = failures[-1]
    if len(failures) == 1:
        return str(last.fields["reason"])
    return f"Exceeded maximum number of retries. {len(failures)} hosts failed to build the server. Last error: {last}"


def _started(  # what the host is told, put together from the three steps before
    work: Work,
    server: Row,
    command: Build,
    placed: Mapping[str, Any],
    nics: list[dict[str, Any]],
    attempt: int,
) -> Outcome:
    host = placed["host"]
    with_ports = {
        **server,
        "host": host,
        "node": placed["node"],
        "availability_zone": placed["zone"],
        **network_columns(nics),
    }
    with_volumes = _volumes(work, with_ports, command, attempt)
    spec = specification(work, with_ports, admin_pass=command.admin_pass, held=ports.awaited(work, nics))
    state = _on_host(work, host, spec, attempt)
    if with_volumes:
        work.step(_numbered("attached", attempt), lambda: volumes.complete_all(work))
    if placed["failed_builds"]:
        with work.cell.database.write() as connection:
            host_rows.build_succeeded(connection, host, placed["node"])
    nics, state = ports.let_run(work, with_ports, nics, state, attempt)
    if work.resumed and nics:  # a request that was given up for lost may have made ports after all
        work.step(_numbered("strays", attempt), lambda: ports.release_others(work, [nic["port_id"] for nic in nics]))
    return Outcome(
        vm_state=states.ACTIVE,
        values={
            "power_state": state["power"],
            "launched_at": work.now(),
            "root_device_name": "/dev/vda",
            "fault": None,
            **_with_machine(server, state.get("machine")),
            **network_columns(nics),
        },
    )


def _with_machine(server: Row, machine: str | None) -> dict[str, Any]:
    """The guest keeps its machine type from now on, whatever becomes the default; one without an image follows that."""
    return {"image": machine_type.recorded(server["image"], machine)} if machine and server["image"] else {}


def _volumes(work: Work, server: Row, command: Build, attempt: int) -> bool:
    """The server's volumes made, reserved and exported to its host; False when it has none. Raises HostFailed."""
    if not volumes.own(work):
        return False
    give_back = volumes.disconnect_all  # back on the shelf it keeps them
    if server["vm_state"] == states.BUILDING:
        give_back = volumes.release_all
        zone = server["availability_zone"] if command.volumes_near else None
        work.step(
            _numbered("volumes", attempt),
            lambda: volumes.make(work, server, token=command.token, zone=zone),
            undo=lambda: volumes.unmake(work),
            announce=True,
        )
    work.step(_numbered("reserved", attempt), lambda: volumes.reserve_all(work), undo=partial(give_back, work))
    try:
        work.step(
            _numbered("connected", attempt),
            lambda: volumes.connect_all(work, server["host"]),
            save=lambda _none: {"task_state": "spawning"},
        )
    except StepFailed as error:
        raise HostFailed(host=server["host"], reason=str(error)) from error
    return True


def _claim(work: Work, server: Row, command: Build, attempt: int, tried: Sequence[str]) -> dict[str, Any]:
    """The chosen host, its resources claimed and the server's row pointing to it."""

    def claim() -> dict[str, Any]:
        if work.resumed:
            # A conductor that died after its claim and before its record left allocations that fit no record.
            work.tools.chooser.release(work.uuid)
        return grouping.placed_within_group(
            work, command.group, lambda group: _request(work, server_request(server, command, tried, group))
        )

    work.on_undo(_numbered("row", attempt), lambda: _forget_host(work))
    try:
        placed: dict[str, Any] = work.step(
            _numbered("schedule", attempt),
            claim,
            undo=lambda: work.tools.chooser.release(work.uuid),
            save=lambda found: {
                "host": found["host"],
                "node": found["node"],
                "availability_zone": found["zone"],
                "task_state": "block_device_mapping" if server["volumes"] != "[]" else "spawning",
            },
        )
    except StepFailed as error:
        raise NoHost(reason=str(error)) from error
    return placed


def _request(work: Work, request: ServerRequest) -> ServerRequest:
    """A server that lives in a cell stays there."""
    free = work.cell.is_cell0 or len(work.tools.store.working) == 1
    return request if free else replace(request, source_cell=work.cell.uuid)


def _forget_host(work: Work) -> None:
    """A server that never ran belongs to no host. The very last of an attempt's undos: the others need to know it."""
    with work.cell.database.write() as connection:
        servers.update(connection, work.uuid, {"host": None, "node": None})


def server_request(
    server: Row, command: Build | None = None, tried: Sequence[str] = (), group: Any = None
) -> ServerRequest:
    """What the scheduler is asked for a server as its row says."""
    command = command or Build()
    flavor = codec.loads(server["flavor"])
    image = codec.loads(server["image"]) if server["image"] else None
    return ServerRequest(
        server_uuids=(server["uuid"],),
        project_id=server["project_id"],
        user_id=server["user_id"],
        flavor=FlavorFacts(
            name=flavor["original_name"],
            vcpus=flavor["vcpus"],
            memory_mb=flavor["ram"],
            root_gb=flavor["disk"] if server["image_ref"] else 0,
            ephemeral_gb=flavor["ephemeral"],
            swap_mb=flavor["swap"],
            extra_specs=flavor.get("extra_specs", {}),
        ),
        image=ImageFacts(image.get("id"), image.get("disk_format"), image.get("properties", {})) if image else None,
        availability_zone=command.zone,
        requested_host=command.host,
        requested_node=command.node,
        forced=command.forced,
        hints=codec.loads(server["hints"]),
        group=group,
        tried_hosts=frozenset(tried),
    )


def _on_host(work: Work, host: str, spec: Mapping[str, Any], attempt: int) -> dict[str, Any]:
    """The guest, running on its host. Raises HostFailed."""
    call = f"{work.id}:{attempt}"

    def create() -> dict[str, Any]:
        try:
            found: dict[str, Any] = work.tools.hosts.ask(host, "create", {"spec": spec}, operation=call)
        except Exception as error:
            if isinstance(error, TRANSIENT) and not (_is_of_host(error) and not work.tools.chooser.all_silent()):
                raise
            with work.cell.database.write() as connection:
                host_rows.build_failed(connection, host, spec["node"] or host)
            raise StepFailed(reason=str(error)) from error
        return found

    def destroy() -> None:
        """A host that is down removes the guest when it comes back and finds that nobody wants it."""
        with contextlib.suppress(HostDown):
            work.tools.hosts.ask(host, "destroy", {"uuid": work.uuid}, operation=f"{call}:undo", revokes=call)

    try:
        state: dict[str, Any] = work.step(_numbered("host", attempt), create, undo=destroy, host=host, announce=True)
    except StepFailed as error:
        raise HostFailed(host=host, reason=str(error)) from error
    return state


def _is_of_host(error: Exception) -> bool:
    """The host itself is away: no reason to wait for it, another one can build the server now."""
    remote = getattr(error, "fields", {}).get("remote_type")
    return isinstance(error, HostDown) or remote == HypervisorUnavailable.__name__


def _numbered(name: str, attempt: int) -> str:
    return name if attempt == 0 else f"{name}-{attempt}"
