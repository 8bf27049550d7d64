"""Facts about the deployment that prefilters read."""

from dataclasses import dataclass

from kilonova.scheduling.hosts import Aggregate


@dataclass(frozen=True)
class DeploymentFacts:
    """What the caller looks up before asking placement."""

    aggregates: tuple[Aggregate, ...] = ()
    """All host aggregates."""
    default_zone: str = "nova"
    """[DEFAULT] default_availability_zone: the zone of hosts that are in no zone's aggregate."""
    requested_provider: str | None = None
    """Resource provider of the requested host and node."""
    segment_aggregates: tuple[tuple[str, ...], ...] = ()
    """Per routed network asked for, the aggregates of its segments."""
    computes_report_owner: bool = False
    """Whether every compute service is new enough to put OWNER_NOVA on its provider."""
