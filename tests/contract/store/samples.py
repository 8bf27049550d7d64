"""Rows to begin with."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, TypeVar

from sqlalchemy.engine import Connection

from kilonova.store import operations, servers

T = TypeVar("T")
NOW = "2026-01-02T03:04:05.678901"
LATER = "2026-01-02T03:05:05.678901"
MUCH_LATER = "2026-01-03T00:00:00.000000"
CROWD = 16
"""Threads that want the same thing at once."""
_JSON = ("metadata", "network_info", "addresses", "hints", "flavor")
_LISTS = ("tags", "security_groups", "networks", "volumes")


def server(uuid: str, **more: Any) -> dict[str, Any]:
    """A living, idle server."""
    return {
        "uuid": uuid,
        "project_id": "p",
        "user_id": "u",
        "name": uuid,
        "vm_state": "active",
        "task_state": None,
        "flavor_id": "1",
        "vcpus": 2,
        "memory_mb": 3,
        "disk_gb": 4,
        "ips": "",
        "created_at": NOW,
        "updated_at": NOW,
        **dict.fromkeys(_JSON, "{}"),
        **dict.fromkeys(_LISTS, "[]"),
        **more,
    }


def add_servers(connection: Connection, *found: dict[str, Any]) -> None:
    """One statement each, since rows of one statement have the same columns."""
    for each in found:
        servers.insert(connection, [each])


def operation(ident: str, server_uuid: str = "s", **more: Any) -> dict[str, Any]:
    """One that waits to be claimed."""
    return {
        "id": ident,
        "verb": "reboot",
        "server_uuid": server_uuid,
        "project_id": "p",
        "user_id": "u",
        "request_id": "req-1",
        "command": "{}",
        "state": "queued",
        "created_at": NOW,
        "updated_at": NOW,
        **more,
    }


def add_operations(connection: Connection, *idents: str, server_uuid: str = "s") -> None:
    """In this order."""
    for ident in idents:
        operations.insert(connection, [operation(ident, server_uuid)])


def at_once(work: Callable[[int], T], crowd: Sequence[int] = range(CROWD)) -> list[T]:
    """``work(number)`` of each number, all let go in the same moment."""
    gate = Barrier(len(crowd))

    def one(number: int) -> T:
        gate.wait(30)
        return work(number)

    with ThreadPoolExecutor(len(crowd)) as pool:
        return list(pool.map(one, crowd))
