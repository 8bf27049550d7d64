"""Rows that tests write."""

from typing import Any

NOW = "2026-01-01T00:00:00.000000"


def server(number: int, **more: Any) -> dict[str, Any]:
    """A living server; ``number`` makes its UUID and its moment of creation."""
    at = f"2026-01-01T00:00:{number:02d}.000000"
    return {
        "uuid": f"00000000-0000-0000-0000-{number:012d}",
        "project_id": "p",
        "user_id": "u",
        "name": f"s{number}",
        "vm_state": "active",
        "task_state": None,
        "flavor_id": "1",
        "flavor": "{}",
        "vcpus": 1,
        "memory_mb": 64,
        "disk_gb": 1,
        "metadata": "{}",
        "tags": "[]",
        "security_groups": "[]",
        "networks": "[]",
        "network_info": "[]",
        "addresses": "{}",
        "ips": "",
        "volumes": "[]",
        "hints": "{}",
        "created_at": at,
        "updated_at": at,
        "deleted": 0,
        **more,
    }


def operation(ident: str, server_uuid: str, **more: Any) -> dict[str, Any]:
    """A queued operation."""
    return {
        "id": ident,
        "verb": "stop",
        "server_uuid": server_uuid,
        "request_id": "req-1",
        "command": "{}",
        "state": "queued",
        "cancel": False,
        "attempts": 0,
        "created_at": NOW,
        "updated_at": NOW,
        **more,
    }
