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
from kilonova.placement.store.shelf import Card


def index(call: Call) -> Reply:
    """Ways to serve a request, and the providers that take part."""
    demand = parse_demand(call.query, call.version[1])
    found = wired(call).search.find(demand)
    shown: dict[int, Any] = {}
    requests = [_request(call, one, found, shown) for one in found.candidates]
    return dated(call, {"allocation_requests": requests, "provider_summaries": _summaries(call, demand, found)})


def _request(call: Call, candidate: Candidate, found: Found, shown: dict[int, Any]) -> Any:
    """``shown`` keeps the texts that most candidates have in common, by their mapping of resources."""
    cards = found.cards
    if call.at_least(34) and len(candidate.allocations) == len(candidate.mappings) == 1:
        return _simple_request(candidate, cards, shown)
    if not call.at_least(12):
        return {
            "allocations": [
                {"resource_provider": {"uuid": cards[i].uuid}, "resources": resources}
                for i, resources in candidate.allocations.items()
            ]
        }
    request: dict[str, Any] = {
        "allocations": {cards[i].uuid: {"resources": resources} for i, resources in candidate.allocations.items()}
    }
    if call.at_least(34):
        request["mappings"] = {suffix: [cards[i].uuid for i in ids] for suffix, ids in candidate.mappings.items()}
    return request


def _simple_request(candidate: Candidate, cards: Mapping[int, Card], shown: dict[int, Any]) -> codec.Fragment:
    """Of one group and one provider: put together as text, for there may be thousands."""
    ((provider_id, resources),) = candidate.allocations.items()
    texts = shown.get(id(resources))
    if texts is None:
        (suffix,) = candidate.mappings
        between = f'":{codec.text({"resources": resources})}}},"mappings":{{{codec.text(suffix)}:["'
        texts = shown[id(resources)] = ('{"allocations":{"', between, '"]}}')
    uuid = cards[provider_id].uuid
    return codec.Fragment(f"{texts[0]}{uuid}{texts[1]}{uuid}{texts[2]}")


def _summaries(call: Call, demand: Demand, found: Found) -> dict[str, Any]:
    """Whole trees from 1.29, before only who takes part."""
    part = {i for one in found.candidates for ids in one.mappings.values() for i in ids}
    cards = found.cards
    if not demand.nested:
        return {cards[i].uuid: _summary(call, demand, cards[i]) for i in sorted(part)}
    summaries: dict[str, Any] = {}
    for root in sorted({cards[i].provider.root_id for i in part}):
        for i in found.members.get(root, (root,)):
            card = cards[i]
            if card.summary is None:
                # At these versions it does not depend on the request, and is made once for each state of a provider.
                card.summary = codec.Fragment(codec.dumps(_nested_summary(call, demand, card, cards)))
            summaries[card.uuid] = card.summary
    return summaries


def _nested_summary(call: Call, demand: Demand, card: Card, cards: Mapping[int, Card]) -> dict[str, Any]:
    provider = card.provider
    return {
        **_summary(call, demand, card),
        "parent_provider_uuid": None if provider.parent_id is None else cards[provider.parent_id].uuid,
        "root_provider_uuid": cards[provider.root_id].uuid,
    }


def _summary(call: Call, demand: Demand, card: Card) -> dict[str, Any]:
    """All classes from 1.27, before only those asked for."""
    classes = None if call.at_least(27) else demand.classes
    one: dict[str, Any] = {
        "resources": {
            name: {"capacity": stock.capacity, "used": stock.used}
            for name, stock in card.provider.stocks.items()
            if classes is None or name in classes
        }
    }
    if call.at_least(17):
        one["traits"] = codec.Fragment(card.trait_list)
    return one


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/allocation_candidates",
        handler=index,
        since=(1, 10),
        rule="placement:allocation_candidates:list",
    ),
)
