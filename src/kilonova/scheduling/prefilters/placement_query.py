"""From a request to the parameters of ``GET /allocation_candidates`` at placement 1.36."""

from collections.abc import Callable

from kilonova.scheduling.options import SchedulerOptions
from kilonova.scheduling.prefilters import aggregates, traits
from kilonova.scheduling.prefilters.facts import DeploymentFacts
from kilonova.scheduling.prefilters.hardware import add_hardware
from kilonova.scheduling.prefilters.query import CandidateQuery, QueryGroup
from kilonova.scheduling.prefilters.resources import add_extra_specs, add_flavor_amounts, add_image_traits
from kilonova.scheduling.request import ServerRequest

Prefilter = Callable[[CandidateQuery, ServerRequest, DeploymentFacts, SchedulerOptions], None]

PREFILTERS: tuple[Prefilter, ...] = (
    aggregates.isolate_aggregates,  # before the others: it looks at the traits flavor and image ask for
    aggregates.require_tenant_aggregate,
    aggregates.map_az_to_placement_aggregate,
    aggregates.routed_networks,
    traits.require_image_type_support,
    traits.compute_status,
    traits.transform_image_metadata,
    traits.accelerators,
    traits.packed_virtqueue,
    traits.remote_managed_ports,
    traits.ephemeral_encryption,
    traits.virtio_sound,
    traits.tpm_secret_security,
    traits.owner_nova,
)


def placement_query(request: ServerRequest, facts: DeploymentFacts, options: SchedulerOptions) -> list[tuple[str, str]]:
    """The parameters in a fixed order; a key may come more than once (``member_of``, ``same_subtree``).

    Raises BadExtraSpec for what cannot be read in flavor or image, NoValidHost when a prefilter already knows
    that no host will do.
    """
    query = CandidateQuery(limit=options.max_placement_results)
    add_flavor_amounts(query, request)
    add_hardware(query, request)
    add_extra_specs(query, request.flavor.extra_specs)
    add_image_traits(query, request.image_properties)
    for prefilter in PREFILTERS:
        prefilter(query, request, facts, options)
    for group in request.resource_groups:
        query.add(group)
    query.same_subtree += request.same_subtree
    _narrow_to_requested(query, facts.requested_provider)
    if not any(query.main.resources.values()):
        _move_from_empty_main(query)
    return query.pairs()


def _narrow_to_requested(query: CandidateQuery, provider: str | None) -> None:
    """Ask for the requested host's tree only, where the query has a group with resources to say it of."""
    if provider is None:
        return
    if any(query.main.resources.values()):
        query.main.in_tree = provider
        return
    for suffix, group in query.groups.items():
        if suffix and group.in_tree is None:
            group.in_tree = provider


def _move_from_empty_main(query: CandidateQuery) -> None:
    """Placement refuses a group without resources: its traits are then the root's, its aggregates every group's."""
    main = query.groups.pop("")
    query.groups[""] = QueryGroup()
    for trait in main.required:
        query.root.require(trait)
    for trait in main.forbidden:
        query.root.forbid(trait)
    for suffix, group in query.groups.items():
        if suffix:
            group.aggregates += main.aggregates
