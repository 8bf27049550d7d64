"""Moving a running server while it runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kilonova.clients.neutron.contract import PortBindingFailed
from kilonova.clients.neutron.facts import PortFacts
from kilonova.domain.migration import Aborted
from kilonova.kit import codec
from kilonova.operations import ports, volumes
from kilonova.operations.guests import network_columns
from kilonova.operations.moving import Move
from kilonova.operations.work import Outcome, Row, StepFailed, Work


@dataclass(frozen=True, kw_only=True)
class LiveMigrate:
    """The command."""

    migration: str
    host: str | None = None
    forced: bool = False
    block: bool | None = None
    """Copy the disks, too; None: as the storage needs it."""
    over_commit: bool = False
    """Do not look for room on the destination's disk."""


def run(work: Work, command: LiveMigrate) -> Outcome:
    """On its new host, in the state it was."""
    move = Move(work, command.migration)
    move.begin()
    placed = move.place(
        move.server,
        "migrating",
        requested_host=command.host,
        forced=command.forced,
        ignore_hosts=frozenset({move.source}),
    )
    after, plan = _prepare(work, move, command, placed)
    _send(work, move, placed, {"spec": move.spec(after), "token": move.uuid, "plan": plan})
    # The guest runs on the destination: from here on there is only forward.
    work.settle()
    work.forget(0)
    work.on_undo("record", lambda: move.note(status="error"))
    work.on_undo("allocations", move.settle_claims)
    if move.has_volumes:
        work.on_undo("attached", lambda: volumes.settle(work))
    work.on_undo("server", lambda: move.in_error(f"It moved to {placed['host']}, but could not be taken up there"))
    nics = work.step("ports", lambda: move.bound_to(placed["host"]), save=network_columns)
    settled = {"spec": move.spec({**after, **network_columns(nics)}), "token": move.uuid, "plan": plan}
    state = work.step("arrival", lambda: move.ask(placed["host"], "arrived", settled), host=placed["host"])
    leaving = {"uuid": work.uuid, "devices": [nic["devname"] for nic in nics]}
    work.step("source", lambda: move.tell(move.source, "leave", leaving), host=move.source)
    move.use_volumes(volumes.settle)
    work.step("allocations", move.settle_claims)
    nics = ports.await_active(work, after, nics, 0)
    move.note(status="completed")
    return Outcome(values={"power_state": state["power"], **network_columns(nics)})


def _prepare(work: Work, move: Move, command: LiveMigrate, placed: Row) -> tuple[Row, Mapping[str, Any]]:
    """Everything is known to fit, and ready on the destination: the server as it will be there, and how to send it."""
    host = placed["host"]
    move.clear_on_undo(host)

    def check() -> dict[str, Any]:
        move.note(status="preparing")
        berth = move.ask(host, "berth", {"uuid": work.uuid, "token": move.uuid})
        arguments = {
            "spec": move.spec(move.server),
            "berth": berth,
            "block": command.block,
            "over_commit": command.over_commit,
        }
        plan: dict[str, Any] = move.ask(move.source, "check", arguments)
        move.note(dest_host=berth["address"])
        return plan

    plan: dict[str, Any] = work.step("check", check, host=host)
    move.bring_volumes(host)
    nics = _second_bindings(work, move, host)
    after: Row = {**move.server, "host": host, "node": placed["node"], **network_columns(nics)}
    arguments = {"spec": move.spec(after), "token": move.uuid, "plan": plan}
    work.step("prepare", lambda: move.ask(host, "prepare", arguments), host=host, announce=True)
    return after, plan


def _second_bindings(work: Work, move: Move, host: str) -> list[dict[str, Any]]:
    """The NICs as they will be on the destination; where Neutron knows one binding a port, as they are."""
    nics: list[dict[str, Any]] = codec.loads(move.before["network_info"])
    if not nics:
        return []
    known: list[PortFacts] = [ports.remembered(entry) for entry in nics]
    networks = work.tools.networks

    def add() -> list[dict[str, Any]] | None:
        try:
            found = networks.bind_second(work.uuid, host, known)
        except PortBindingFailed as error:
            raise StepFailed(reason=str(error)) from error
        return None if found is None else [ports.nic(port) for port in found]

    made = work.step("bindings", add, undo=lambda: networks.drop_second(work.uuid, host))
    return nics if made is None else list(made)


def _send(work: Work, move: Move, placed: Row, arguments: Mapping[str, Any]) -> None:
    def send() -> None:
        if move.wanted_off():
            raise Aborted(uuid=work.uuid)
        move.note(status="running")
        move.ask(move.source, "send", arguments)
        move.note(status="post-migrating")

    try:
        work.step(
            "host",
            send,
            host=move.source,
            announce=True,
            save=lambda _nothing: {
                "host": placed["host"],
                "node": placed["node"],
                "availability_zone": placed["zone"],
            },
        )
    except StepFailed as error:
        raise StepFailed(reason=f"Live migration failed: {error}") from error
