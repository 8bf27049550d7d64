"""Quotas: Neutron's usual numbers, kept per project, enforced when something is created."""

from typing import Any

from kilonova.kit.http.schema import Field, Object, Schema
from kilonova.lab.networks import errors
from kilonova.lab.networks.store.documents import Document
from kilonova.lab.networks.work import Work

UNLIMITED = -1
DEFAULTS = {
    "network": 100,
    "subnet": 100,
    "subnetpool": UNLIMITED,
    "port": 500,
    "router": 10,
    "floatingip": 50,
    "security_group": 10,
    "security_group_rule": 100,
    "rbac_policy": 10,
}
_LIMIT = {"type": "integer", "minimum": UNLIMITED, "maximum": 2147483647}
SCHEMA = Schema(Object(tuple(Field(name=name, schema=_LIMIT) for name in DEFAULTS)), where="quota")


def of_project(work: Work, project_id: str) -> dict[str, int]:
    """The limits of a project; -1 is none."""
    stored = work.docs.get("quota", project_id)
    return DEFAULTS | (stored["limits"] if stored else {})


def demand(work: Work, kind: str, project_id: str, wanted: int = 1) -> None:
    """Raises OverQuota when ``wanted`` more of the kind are too many. What the lab itself owns is free."""
    limit = of_project(work, project_id)[kind]
    if project_id and limit != UNLIMITED and work.docs.count(kind, project_id) + wanted > limit:
        raise errors.OverQuota(resource=kind)


def usage(work: Work, project_id: str) -> Document:
    """Limit, used and reserved by resource."""
    return {
        kind: {"limit": limit, "used": work.docs.count(kind, project_id), "reserved": 0}
        for kind, limit in of_project(work, project_id).items()
    }


def change(work: Work, project_id: str, limits: Any) -> dict[str, int]:
    """Set limits. Raises Invalid."""
    SCHEMA.validate(limits, (0, 0))
    stored = work.docs.get("quota", project_id)
    if stored is None:
        work.docs.insert("quota", {"id": project_id, "limits": dict(limits)})
    else:
        stored["limits"] |= limits
        work.docs.save("quota", stored)
    return of_project(work, project_id)


def reset(work: Work, project_id: str) -> None:
    """Back to the defaults."""
    work.docs.delete("quota", project_id)
