"""Flavors: the sizes servers come in."""

from collections.abc import Mapping
from typing import Any

from kilonova.kit.errors import Conflict, Invalid, NotFound


class FlavorNotFound(NotFound):
    """No flavor has this id, or the caller may not see it."""

    template = "Flavor {flavor_id} could not be found."


class FlavorExists(Conflict):
    """The name or id is taken."""

    template = "Flavor with {what} {value} already exists."


class FlavorMarkerNotFound(Invalid):
    """The marker of a list is no flavor (400)."""

    template = "marker [{marker}] not found"


class FlavorAccessExists(Conflict):
    """The project already has access."""

    template = "Flavor access already exists for flavor {flavor_id} and project {project_id} combination."


class FlavorAccessNotFound(NotFound):
    """The project has no access that could be taken away."""

    template = "Flavor access not found for {flavor_id} / {project_id} combination."


class FlavorIsPublic(Conflict):
    """Everybody may use the flavor already."""

    template = "Can not add access to a public flavor."


class NoAccessList(NotFound):
    """Public flavors have no list of projects."""

    template = "Access list not available for public flavors."


class ExtraSpecNotFound(NotFound):
    """The flavor lacks the extra spec."""

    template = "Flavor {flavor_id} has no extra specs with key {key}."


def embedded(row: Mapping[str, Any], extra_specs: Mapping[str, str]) -> dict[str, Any]:
    """A flavor as a server keeps it: later changes of the flavor do not reach the server."""
    return {
        "id": row["flavor_id"],
        "original_name": row["name"],
        "vcpus": row["vcpus"],
        "ram": row["memory_mb"],
        "disk": row["root_gb"],
        "ephemeral": row["ephemeral_gb"],
        "swap": row["swap_mb"],
        "extra_specs": dict(extra_specs),
    }
