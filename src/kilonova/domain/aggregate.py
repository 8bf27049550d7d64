"""Host aggregates, and the availability zones that are made of them."""

from kilonova.kit.errors import Conflict, Invalid, NotFound

ZONE = "availability_zone"
"""The metadata key that makes an aggregate a zone."""


class AggregateNotFound(NotFound):
    """No aggregate has this id."""

    template = "Aggregate {aggregate_id} could not be found."


class AggregateNameExists(Conflict):
    """Names are unique."""

    template = "Aggregate {name} already exists."


class AggregateHostExists(Conflict):
    """The host is in it."""

    template = "Aggregate {aggregate_id} already has host {host}."


class AggregateHostNotFound(NotFound):
    """The host is not in it."""

    template = "Aggregate {aggregate_id} has no host {host}."


class AggregateNotEmpty(Invalid):
    """It still has hosts (400)."""

    template = "Cannot delete aggregate {aggregate_id}: it has hosts"


class HostInOtherZone(Conflict):
    """A host is in one zone at most (409 when a host is moved)."""

    template = "Cannot perform action '{action}' on aggregate {aggregate_id}: Host(s) {hosts} already in other zones"


class ZoneChangeRefused(Invalid):
    """A change of the zone would tear hosts between zones, or servers out of theirs (400 when a zone is changed)."""

    template = "Cannot perform action '{action}' on aggregate {aggregate_id}: {reason}"


class HostHasServers(Conflict):
    """The host's servers would be in another zone than they were built in."""

    template = (
        "Cannot perform action '{action}' on aggregate {aggregate_id}: One or more hosts contain instances in this zone"
    )
