"""Options of the placement service; sections and names are upstream's."""

from dataclasses import dataclass
from typing import ClassVar

from kilonova.kit.db.engine import DatabaseOptions
from kilonova.kit.options import opt

DATABASE_GROUP = "placement_database"
_NOBODY = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class PlacementDatabaseOptions(DatabaseOptions):
    """``[placement_database]``."""

    GROUP: ClassVar[str] = DATABASE_GROUP
    sync_on_startup: bool = opt(False, "bring the schema up to date when the service starts")


@dataclass(frozen=True)
class PlacementOptions:
    """``[placement]``: how the service answers."""

    GROUP: ClassVar[str] = "placement"
    randomize_allocation_candidates: bool = opt(False, "give allocation candidates in random order")
    max_allocation_candidates: int = opt(
        -1, "most candidates made for one request, whatever limit it has; -1: no bound", min=-1
    )
    allocation_candidates_generation_strategy: str = opt(
        "depth-first",
        "all candidates of one tree before the next (depth-first), or one of each tree in turn (breadth-first)",
        choices=["depth-first", "breadth-first"],
    )
    incomplete_consumer_project_id: str = opt(_NOBODY, "project of consumers made by requests that name none")
    incomplete_consumer_user_id: str = opt(_NOBODY, "user of consumers made by requests that name none")


@dataclass(frozen=True)
class ApiOptions:
    """``[api]``."""

    GROUP: ClassVar[str] = "api"
    auth_strategy: str = opt("keystone", "who says who asks", choices=["keystone", "noauth2"])


@dataclass(frozen=True)
class PolicyOptions:
    """``[placement]``: the policy file of this service alone."""

    GROUP: ClassVar[str] = "placement"
    policy_file: str | None = opt(None, "policy file of placement; none: that of [oslo_policy]")
