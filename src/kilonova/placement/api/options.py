"""Options of the placement service; sections and names are upstream's."""

from dataclasses import dataclass
from typing import ClassVar

from kilonova.kit.db.engine import DatabaseOptions
from kilonova.kit.http.cors import CorsOptions
from kilonova.kit.monitoring import MonitoringOptions
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


@dataclass(frozen=True)
class IdleOptions:
    """``[placement]`` of existing files: accepted, and nothing depends on it."""

    GROUP: ClassVar[str] = "placement"
    allocation_conflict_retry_count: int = opt(10, "no effect: claims that race are repeated as long as that helps")


@dataclass(frozen=True)
class IdleDatabaseOptions:
    """``[placement_database]``, likewise."""

    GROUP: ClassVar[str] = DATABASE_GROUP
    sqlite_synchronous: bool = opt(True, "no effect: SQLite is in WAL mode")
    slave_connection: str | None = opt(None, "no effect: all reads want the newest state", secret=True)
    max_retries: int = opt(10, "no effect: a database that is away is 503, and asked again at the next request")
    retry_interval: int = opt(10, "no effect: see max_retries")
    connection_trace: bool = opt(False, "no effect")


@dataclass(frozen=True)
class IdleWorkarounds:
    """``[workarounds]``, likewise."""

    GROUP: ClassVar[str] = "workarounds"
    optimize_for_wide_provider_trees: bool = opt(False, "no effect: wide trees are no problem here")


@dataclass(frozen=True)
class IdlePaths:
    """``[DEFAULT]``, likewise."""

    GROUP: ClassVar[str] = "DEFAULT"
    tempdir: str | None = opt(None, "no effect: nothing is written to files")
    pybasedir: str | None = opt(None, "no effect")
    state_path: str | None = opt(None, "no effect")


KNOWN: tuple[type, ...] = (
    ApiOptions,
    CorsOptions,
    IdleDatabaseOptions,
    IdleOptions,
    IdlePaths,
    IdleWorkarounds,
    MonitoringOptions,
    PlacementDatabaseOptions,
    PlacementOptions,
    PolicyOptions,
)
"""Sections that a configuration file may have; everything else in it is warned of."""
