"""Prefilters that turn host aggregates into ``member_of``."""

from kilonova.scheduling.errors import NoValidHost
from kilonova.scheduling.options import SchedulerOptions
from kilonova.scheduling.prefilters.facts import DeploymentFacts
from kilonova.scheduling.prefilters.query import CandidateQuery
from kilonova.scheduling.request import ServerRequest

_ZONE = "availability_zone"
_TENANT = "filter_tenant_id"
_TRAIT = "trait:"


def map_az_to_placement_aggregate(
    query: CandidateQuery, request: ServerRequest, facts: DeploymentFacts, options: SchedulerOptions
) -> None:
    """The zone becomes its aggregates; the default zone is every host outside the others' aggregates.

    Raises NoValidHost for a zone no aggregate forms.
    """
    zone = request.availability_zone
    if zone is None:
        return
    inside = tuple(sorted(a.uuid for a in facts.aggregates if a.metadata.get(_ZONE) == zone))
    if inside and zone != facts.default_zone:
        query.main.aggregates.append(inside)
    elif zone == facts.default_zone:
        query.forbidden_aggregates.update(a.uuid for a in facts.aggregates if a.metadata.get(_ZONE) not in (None, zone))
    else:
        raise NoValidHost(reason=f"Availability zone {zone} has no hosts.")


def require_tenant_aggregate(
    query: CandidateQuery, request: ServerRequest, facts: DeploymentFacts, options: SchedulerOptions
) -> None:
    """Keep the project to the aggregates set aside for it.

    Raises NoValidHost for a project without one, if [scheduler] placement_aggregate_required_for_tenants.
    """
    if not options.limit_tenants_to_placement_aggregate:
        return
    own = tuple(
        sorted(
            a.uuid
            for a in facts.aggregates
            if any(k.startswith(_TENANT) and v == request.project_id for k, v in a.metadata.items())
        )
    )
    if own:
        query.main.aggregates.append(own)
    elif options.placement_aggregate_required_for_tenants:
        raise NoValidHost(reason="No host aggregate is set aside for the project.")


def isolate_aggregates(
    query: CandidateQuery, request: ServerRequest, facts: DeploymentFacts, options: SchedulerOptions
) -> None:
    """Stay off aggregates whose ``trait:NAME=required`` metadata flavor and image do not all ask for."""
    if not options.enable_isolated_aggregate_filtering:
        return
    asked = {trait for group in query.groups.values() for trait in group.required}
    for aggregate in facts.aggregates:
        marks = {
            key.removeprefix(_TRAIT)
            for key, value in aggregate.metadata.items()
            if key.startswith(_TRAIT) and value == "required"
        }
        if not marks <= asked:
            query.forbidden_aggregates.add(aggregate.uuid)


def routed_networks(
    query: CandidateQuery, request: ServerRequest, facts: DeploymentFacts, options: SchedulerOptions
) -> None:
    """Keep to hosts in the segments of the routed networks asked for."""
    if options.query_placement_for_routed_network_aggregates:
        query.main.aggregates += facts.segment_aggregates
