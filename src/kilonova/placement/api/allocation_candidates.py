"""``/allocation_candidates``."""

from collections.abc import Mapping
from typing import Any

from kilonova.kit import codec
from kilonova.kit.http.endpoint import Call, Endpoint, Reply
from kilonova.placement.api.replies import dated
from kilonova.placement.api.wiring import wired
from kilonova.placement.domain.candidates import Candidate
from kilonova.placement.domain.demand import Demand
from kilonova.placement.domain.query import parse_demand
from kilonova.placement.store.candidates import Found


def index(call: Call) -> Reply:
    """Ways to serve a request, and the providers that take part."""
    demand = parse_demand(call.query, call.version[1])
    found = wired(call).search.find(demand)
    uuids = {i: facts.uuid for i, facts in found.facts.items()}
    requests = [_request(call, one, uuids) for one in found.candidates]
    return dated(call, {"allocation_requests": requests, "provider_summaries": _summaries(call, demand, found, uuids)})


def _request(call: Call, candidate: Candidate, uuids: Mapping[int, str]) -> dict[str, Any]:
    if not call.at_least(12):
        return {
            "allocations": [
                {"resource_provider": {"uuid": uuids[i]}, "resources": resources}
                for i, resources in candidate.allocations.items()
            ]
        }
    request: dict[str, Any] = {
        "allocations": {uuids[i]: {"resources": resources} for i, resources in candidate.allocations.items()}
    }
    if call.at_least(34):
        request["mappings"] = {suffix: [uuids[i] for i in ids] for suffix, ids in candidate.mappings.items()}
    return request


def _summaries(call: Call, demand: Demand, found: Found, uuids: Mapping[int, str]) -> dict[str, Any]:
    """Whole trees from 1.29, before only who takes part; all classes from 1.27, before only those asked for."""
    part = {i for one in found.candidates for i in one.providers}
    if demand.nested:
        roots = sorted({found.facts[i].root_id for i in part})
        shown = [i for root in roots for i in found.members[root]]
    else:
        shown = sorted(part)
    classes = None if call.at_least(27) else demand.classes
    with_traits, with_tree = call.at_least(17), call.at_least(29)
    summaries: dict[str, Any] = {}
    for i in shown:
        facts = found.facts[i]
        one: dict[str, Any] = {
            "resources": {
                name: {"capacity": stock.capacity, "used": stock.used}
                for name, stock in found.stocks[i].items()
                if classes is None or name in classes
            }
        }
        if with_traits:
            one["traits"] = codec.Fragment(facts.trait_list)
        if with_tree:
            one["parent_provider_uuid"] = None if facts.parent_id is None else uuids[facts.parent_id]
            one["root_provider_uuid"] = uuids[facts.root_id]
        summaries[facts.uuid] = one
    return summaries


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/allocation_candidates",
        handler=index,
        since=(1, 10),
        rule="placement:allocation_candidates:list",
    ),
)
