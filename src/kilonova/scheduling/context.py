"""What filters and weighers may know besides the host and the request."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter

from kilonova.scheduling.errors import BadSchedulerOption
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.options import SchedulingOptions


@dataclass(frozen=True, slots=True)
class SelectionContext:
    """One round of choosing: the options, and where the group's members are by now."""

    options: SchedulingOptions = field(default_factory=SchedulingOptions)
    members: Mapping[str, int] = field(default_factory=dict)
    """Host name to members of the request's server group, servers placed earlier in this request included."""
    metadata_keys: frozenset[str] = frozenset()
    """Metadata keys the hosts' aggregates use at all; absent keys cost nothing per host."""


def metadata_keys(hosts: Iterable[HostState]) -> frozenset[str]:
    """The metadata keys any aggregate of these hosts has."""
    memberships = set(map(attrgetter("aggregates"), hosts))  # thousands of hosts, few different memberships
    return frozenset(key for several in memberships for aggregate in several for key in aggregate.metadata)


def ratios(settings: Iterable[str], option: str) -> dict[str, float]:
    """``name=ratio`` entries of an option as a mapping. Raises BadSchedulerOption."""
    found: dict[str, float] = {}
    for setting in settings:
        name, equals, ratio = setting.partition("=")
        try:
            found[name.strip()] = float(ratio) if equals else 1.0
        except ValueError as error:
            raise BadSchedulerOption(option=option, reason=f"{setting!r} is not name=number") from error
    return found
