"""Payloads about what is not a server. Facts: the notification samples of the reference release."""

from collections.abc import Mapping, Sequence
from typing import Any

from kilonova.domain.notifications.envelope import wrapped
from kilonova.kit import codec
from kilonova.kit.clock import show

Row = Mapping[str, Any]


def flavor(row: Row, projects: Sequence[str]) -> dict[str, Any]:
    """A flavor as it is."""
    data = {
        "flavorid": row["flavor_id"],
        "name": row["name"],
        "memory_mb": row["memory_mb"],
        "vcpus": row["vcpus"],
        "root_gb": row["root_gb"],
        "ephemeral_gb": row["ephemeral_gb"],
        "swap": row["swap_mb"],
        "rxtx_factor": row["rxtx_factor"],
        "vcpu_weight": 0,
        "disabled": bool(row["disabled"]),
        "is_public": bool(row["is_public"]),
        "extra_specs": codec.loads(row["extra_specs"]),
        "projects": list(projects),
        "description": row["description"],
    }
    return wrapped("FlavorPayload", data)


def keypair(row: Row) -> dict[str, Any]:
    """A key pair; the private key is nobody's business."""
    return wrapped("KeypairPayload", {k: row[k] for k in ("user_id", "name", "fingerprint", "public_key", "type")})


def aggregate(row: Row) -> dict[str, Any]:
    """A host aggregate."""
    return wrapped("AggregatePayload", {name: row[name] for name in ("id", "uuid", "name", "hosts", "metadata")})


def server_group(row: Row, members: Sequence[str]) -> dict[str, Any]:
    """A server group."""
    data = {
        "uuid": row["uuid"],
        "name": row["name"],
        "project_id": row["project_id"],
        "user_id": row["user_id"],
        "policies": [row["policy"]],
        "policy": row["policy"],
        "rules": {key: str(value) for key, value in codec.loads(row["rules"]).items()},
        "members": list(members),
        "hosts": None,
    }
    return wrapped("ServerGroupPayload", data)


def service(row: Row) -> dict[str, Any]:
    """A service record."""
    data = {
        "host": row["host"],
        "binary": row["binary"],
        "topic": row["binary"].removeprefix("nova-"),
        "disabled": bool(row["disabled"]),
        "disabled_reason": row["disabled_reason"],
        "forced_down": bool(row["forced_down"]),
        "version": row["version"],
        "availability_zone": None,
        "uuid": row["uuid"],
        "last_seen_up": show(row["last_seen"]),
        "report_count": 0,
    }
    return wrapped("ServiceStatusPayload", data)
