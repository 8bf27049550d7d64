"""Server groups: the policies servers are placed together, or apart, by."""

from collections.abc import Mapping
from typing import Any

from kilonova.kit.errors import Invalid, NotFound

AFFINITY = "affinity"
ANTI_AFFINITY = "anti-affinity"
HARD = (AFFINITY, ANTI_AFFINITY)
SOFT = ("soft-affinity", "soft-anti-affinity")
POLICIES = (*HARD, *SOFT)


class ServerGroupNotFound(NotFound):
    """No group has this id."""

    template = "Instance group {group_id} could not be found."


def check_rules(policy: str, rules: Mapping[str, Any]) -> None:
    """Raises Invalid when the policy has no such rules."""
    if rules and policy != ANTI_AFFINITY:
        raise Invalid(f"Only anti-affinity policy supports rules; field/attribute rules does not fit policy {policy}.")
