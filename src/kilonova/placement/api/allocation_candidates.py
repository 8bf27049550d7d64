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
    summaries = _nested_summaries(call, demand, found) if demand.nested else _summaries(call, demand, found)
    return dated(call, {"allocation_requests": _requests(call, found), "provider_summaries": summaries})


def _requests(call: Call, found: Found) -> Any:
    """Put together as text, for there may be thousands that differ by a uuid."""
    cards = found.cards
    parts: list[str] = []
    between = ""
    for one in found.candidates:
        if not one.sole or not call.at_least(34):
            parts.append(codec.text(_request(call, one, cards)))
            continue
        if not between:  # all of them serve the one group
            (resources,), (suffix,) = one.allocations.values(), one.mappings
            between = f'":{codec.text({"resources": resources})}}},"mappings":{{{codec.text(suffix)}:["'
        uuid = cards[one.root_id].uuid
        parts.append(f'{{"allocations":{{"{uuid}{between}{uuid}"]}}}}')
    return codec.Fragment(f"[{','.join(parts)}]")


def _request(call: Call, candidate: Candidate, cards: Mapping[int, Card]) -> dict[str, Any]:
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


def _summaries(call: Call, demand: Demand, found: Found) -> dict[str, Any]:
    """Before 1.29: who takes part."""
    part = {i for one in found.candidates for ids in one.mappings.values() for i in ids}
    return {found.cards[i].uuid: _summary(call, demand, found.cards[i]) for i in sorted(part)}


def _nested_summaries(call: Call, demand: Demand, found: Found) -> Any:
    """From 1.29: the whole trees of who takes part."""
    cards = found.cards
    roots = {
        root
        for one in found.candidates
        for root in ((one.root_id,) if one.sole else {cards[i].provider.root_id for i in one.providers})
    }
    parts: list[str] = []
    for root in sorted(roots):
        for i in found.members.get(root, (root,)):
            card = cards[i]
            if card.summary is None:
                # At these versions it does not depend on the request, and is made once for each state of a provider.
                card.summary = f'"{card.uuid}":{codec.text(_nested_summary(call, demand, card, cards))}'
            parts.append(card.summary)
    return codec.Fragment(f"{{{','.join(parts)}}}")


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
