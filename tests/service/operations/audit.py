"""What must be true of a server once everything has come to rest, whoever was killed on the way."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from kilonova.clients.cinder.fake import FakeCinder
from kilonova.kit import codec
from kilonova.store import api_tables, block_devices, cell_tables, servers, shares
from kilonova.store.cells import Cell, Store

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class World:
    """Everything that a server may leave something in."""

    store: Store
    guests: Callable[[], list[tuple[str, str]]]
    """(host, server) of every guest that really exists."""
    kept: Callable[[], list[tuple[str, str]]]
    """(host, server) of what hosts keep aside for servers that moved."""
    allocation: Callable[[str], Mapping[str, Mapping[str, int]] | None]
    """Provider → resources claimed for a server."""
    ports: Callable[[str], Sequence[Row]]
    """Rows of the network service."""
    volumes: Any = field(default_factory=FakeCinder)
    """The volume service."""
    providers: Mapping[str, str]
    """Host → its node's provider."""


def cell_of(world: World, uuid: str) -> Cell:
    """Where the server lives."""
    found = world.store.seek(uuid, lambda connection, wanted: servers.get(connection, wanted, deleted=True))
    assert found is not None
    return found[0]


def server_row(world: World, uuid: str) -> dict[str, Any]:
    with cell_of(world, uuid).database.read() as connection:
        query = sa.select(cell_tables.servers).where(cell_tables.servers.c.uuid == uuid)
        return dict(connection.execute(query).mappings().one())


def at_rest(world: World, uuid: str) -> bool:
    """Nothing of its operations is left to do, in any cell: it may be on its way from one to another."""
    operations = cell_tables.operations
    query = sa.select(sa.func.count()).where(
        operations.c.server_uuid == uuid, operations.c.state.in_(["queued", "running"])
    )
    return not any(world.store.ask(lambda connection: connection.scalar(query)).values())


def audit(world: World, uuid: str, expected: str, *, nics: int | None = None) -> list[str]:
    """What is wrong; empty when nothing is.

    ``expected``: a vm_state; ``nics``: how many a living server has, if not those of its create.
    """
    row = server_row(world, uuid)
    wrong = [] if row["vm_state"] == expected else [f"it is {row['vm_state']}, not {expected}: {row['fault']}"]
    wrong += _journal(world, uuid, row)
    if expected == "shelved_offloaded":
        return wrong + _offloaded(world, uuid, row)
    if expected not in {"error", "deleted"}:
        return wrong + _owned(world, uuid, row, nics) + _moved(world, uuid, row, expected)
    if expected == "error" and not codec.loads(row["fault"] or "{}").get("message"):
        wrong.append("it is in error without a reason")
    if expected == "error" and (row["host"] or row["node"]):
        wrong.append(f"a server that never ran says it is on {row['host']}")
    return wrong + _leaked(world, uuid)


def _journal(world: World, uuid: str, row: Row) -> list[str]:
    operations, steps = cell_tables.operations, cell_tables.steps
    with cell_of(world, uuid).database.read() as connection:
        found = connection.execute(sa.select(operations).where(operations.c.server_uuid == uuid)).mappings().all()
        ids = [operation["id"] for operation in found]
        unfinished = list(
            connection.scalars(
                sa.select(steps.c.name).where(steps.c.operation_id.in_(ids), steps.c.finished_at.is_(None))
            )
        )
    wrong = [f"operation {o['verb']} is {o['state']}" for o in found if o["state"] in {"queued", "running"}]
    wrong += [f"step {name} never ended" for name in unfinished]
    with cell_of(world, uuid).database.read() as connection:
        wrong += [
            f"a share is {s['status']}" for s in shares.of_server(connection, uuid) if s["status"].endswith("ing")
        ]
    if not found:
        wrong.append("its operations are lost")
    if row["task_state"] is not None:
        wrong.append(f"task_state is {row['task_state']}")
    return wrong


def _owned(world: World, uuid: str, row: Row, nics: int | None) -> list[str]:
    """A living server has everything once."""
    wrong = []
    places = [host for host, guest in world.guests() if guest == uuid]
    if places != [row["host"]]:
        wrong.append(f"it is on {row['host']}, its guests are on {places}")
    flavor = codec.loads(row["flavor"])
    provider = world.providers.get(row["host"])
    claimed = {"VCPU": flavor["vcpus"], "MEMORY_MB": flavor["ram"]}
    if row["image_ref"]:
        claimed["DISK_GB"] = flavor["disk"]
    if world.allocation(uuid) != {provider: claimed}:
        wrong.append(f"allocated is {world.allocation(uuid)}, not {claimed} of {provider}")
    ports = world.ports(uuid)
    wanted = len(codec.loads(row["networks"])) if nics is None else nics
    if len(ports) != wanted:
        wrong.append(f"it has {len(ports)} ports, not {wanted}")
    known = {nic["port_id"] for nic in codec.loads(row["network_info"])}
    if known != {port["id"] for port in ports}:
        wrong.append("its ports are not the ones its row names")
    wrong += _attachments(world, uuid, row)
    wrong += [f"a port is bound to {p['binding:host_id']}" for p in ports if p["binding:host_id"] != row["host"]]
    return wrong


def _attachments(world: World, uuid: str, row: Row) -> list[str]:
    """A living server has one complete attachment for each volume, and its source's while it waits to be confirmed."""
    moves = cell_tables.migrations
    with cell_of(world, uuid).database.read() as connection:
        devices = [device for device in block_devices.of_server(connection, uuid) if device.is_volume]
        query = sa.select(moves.c.before).where(moves.c.server_uuid == uuid, moves.c.status == "finished")
        before = [codec.loads(text).get("attachments", {}) for text in connection.scalars(query)]
    known = {(device.volume_id, device.attachment_id) for device in devices}
    known |= {(volume, old["attachment_id"]) for each in before for volume, old in each.items()}
    found = world.volumes.attachments(uuid)
    wrong = [f"attachment {a.id} is {a.status}" for a in found if a.status != "attached"]
    if {(a.volume_id, a.id) for a in found} != known:
        wrong.append(f"its devices are {known}, the volume service has {found}")
    places = {(device.connection_info or {}).get("data", {}).get("host") for device in devices}
    if places - {row["host"]}:
        wrong.append(f"its volumes are exported to {places}")
    return wrong


def _volumes_left(world: World, uuid: str) -> list[str]:
    """Nothing is attached, and what was made for a server has gone with it or has it still."""
    wrong = [f"attachment {a.id} is left" for a in world.volumes.attachments(uuid)]
    volumes, _ = world.volumes.everything()
    with cell_of(world, uuid).database.read() as connection:
        lost = [v.id for v in volumes if v.metadata and not block_devices.of_volume(connection, v.id)]
    return wrong + [f"volume {volume} is left" for volume in lost]


def _moved(world: World, uuid: str, row: Row, expected: str) -> list[str]:
    """Only a server that waits to be confirmed has something aside, and a second claim."""
    waiting = expected == "resized"
    wrong = []
    moves = cell_tables.migrations
    with cell_of(world, uuid).database.read() as connection:
        found = connection.execute(sa.select(moves).where(moves.c.server_uuid == uuid)).mappings().all()
    held = [move["source_compute"] for move in found if world.allocation(move["uuid"]) is not None]
    kept = [host for host, guest in world.kept() if guest == uuid]
    expected_places = [move["source_compute"] for move in found if move["status"] == "finished"] if waiting else []
    if held != expected_places:
        wrong.append(f"moves hold claims on {held}, not on {expected_places}")
    if kept != expected_places:
        wrong.append(f"it is kept aside on {kept}, not on {expected_places}")
    ends = {"confirmed", "reverted", "error", "failed", "completed", "cancelled"} | ({"finished"} if waiting else set())
    wrong += [f"a {move['kind']} is {move['status']}" for move in found if move["status"] not in ends]
    return wrong


def _offloaded(world: World, uuid: str, row: Row) -> list[str]:
    """On no host, with its ports."""
    ports = world.ports(uuid)
    wrong = [f"it says it is on {row['host']}"] if row["host"] or row["node"] else []
    wrong += [f"a guest is on {host}" for host, guest in world.guests() if guest == uuid]
    if world.allocation(uuid) is not None:
        wrong.append(f"resources stay allocated: {world.allocation(uuid)}")
    wrong += [f"a port is bound to {port['binding:host_id']}" for port in ports if port["binding:host_id"]]
    if len(ports) != len(codec.loads(row["networks"])):
        wrong.append(f"it has {len(ports)} ports")
    return wrong


def _leaked(world: World, uuid: str) -> list[str]:
    places = [host for host, guest in world.guests() if guest == uuid]
    wrong = [f"guests are left on {places}"] if places else []
    kept = [host for host, guest in world.kept() if guest == uuid]
    wrong += [f"disks are kept aside on {kept}"] if kept else []
    moves = cell_tables.migrations
    with cell_of(world, uuid).database.read() as connection:
        found = list(connection.scalars(sa.select(moves.c.uuid).where(moves.c.server_uuid == uuid)))
    wrong += [f"move {move} still holds a claim" for move in found if world.allocation(move) is not None]
    if world.allocation(uuid) is not None:
        wrong.append(f"resources stay allocated: {world.allocation(uuid)}")
    wrong += _volumes_left(world, uuid)
    if world.ports(uuid):
        wrong.append(f"{len(world.ports(uuid))} ports are left")
    return wrong


def quota_errors(world: World) -> list[str]:
    """The usage that is counted, against the servers that live."""
    usage, living = api_tables.quota_usage, cell_tables.servers
    living_ones = (living.c.deleted == 0, living.c.vm_state != "soft-delete")
    query = sa.select(living.c.project_id, living.c.vcpus, living.c.memory_mb).where(*living_ones)
    truth: dict[str, tuple[int, int, int]] = {}
    for rows_of_cell in world.store.ask(lambda connection: connection.execute(query).all()).values():
        for project, cores, ram in rows_of_cell:
            known = truth.get(project, (0, 0, 0))
            truth[project] = (known[0] + 1, known[1] + cores, known[2] + ram)
    with world.store.api.read() as connection:
        rows = connection.execute(sa.select(usage)).mappings().all()
    counted = {r["project_id"]: (r["instances"], r["cores"], r["ram"]) for r in rows if r["instances"]}
    return [] if counted == truth else [f"quota usage is {counted}, servers use {truth}"]
