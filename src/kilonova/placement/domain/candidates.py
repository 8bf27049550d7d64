"""Allocation candidates: every way to serve a demand from one tree and what is shared with it.

The groups become *choices* (one per suffixed group, one per class of the unsuffixed group), each with the providers
that could serve it. A depth-first search assigns providers choice by choice and cuts a branch as soon as it cannot end
well:

* the units still to place of a class exceed what its remaining providers have free,
* groups to be kept apart cannot all find a provider of their own (matching),
* a required trait is at none of the providers still possible,
* no provider is left that could head a ``same_subtree``.

Branches that meet in the same state are walked once. Candidates are yielded one by one, so a limit ends the work.
"""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from kilonova.placement.domain.demand import Condition, Demand, Group
from kilonova.placement.domain.search import Choice, Search
from kilonova.placement.domain.topology import Provider, Tree

Strategy = Literal["depth-first", "breadth-first"]


@dataclass(slots=True)
class Candidate:
    """One way: what each provider gives, and which providers serve which group (suffix → ids)."""

    allocations: Mapping[int, Mapping[str, int]]
    mappings: Mapping[str, tuple[int, ...]]
    root_id: int
    """Root of the tree it was found in."""
    sole: bool = False
    """The root serves the one group, and nobody else could take part."""

    @property
    def providers(self) -> frozenset[int]:
        """Everyone who takes part."""
        return frozenset(self.allocations).union(*self.mappings.values())


def candidates(
    demand: Demand,
    trees: Iterable[Tree],
    *,
    strategy: Strategy = "depth-first",
    rng: random.Random | None = None,
    sifted: bool = False,
) -> Iterator[Candidate]:
    """All candidates, lazily; trees are taken from ``trees`` only as they are needed.

    ``depth-first`` takes all of one tree before the next, ``breadth-first`` one of each tree in turn. With ``rng`` the
    choices within a tree come in random order. ``Condition.in_tree`` must hold the id of the tree's root as text.
    ``sifted``: providers that stand alone are known to fit.
    """
    sifted = sifted and len(demand.groups) == 1 and bool(demand.groups[0].resources) and not demand.same_subtree
    if strategy == "breadth-first":
        yield from _in_turn(
            iter((_sole(demand, tree),)) if sifted and tree.alone else in_tree(demand, tree, rng) for tree in trees
        )
        return
    for tree in trees:
        if sifted and tree.alone:
            # Most trees of most clouds: a generator for each would cost more than the rest.
            yield _sole(demand, tree)
        else:
            yield from in_tree(demand, tree, rng)


def _sole(demand: Demand, tree: Tree) -> Candidate:
    group, provider_id = demand.groups[0], tree.root.id
    return Candidate({provider_id: group.resources}, {group.suffix: (provider_id,)}, provider_id, sole=True)


def distinct(found: Iterable[Candidate], demand: Demand, seen: set[object] | None = None) -> Iterator[Candidate]:
    """Without repetitions: what sharing providers serve alone is found in every tree they reach."""
    known: set[object] = set() if seen is None else seen
    for candidate in found:
        key = candidate.root_id if candidate.sole else identity(candidate, mapped=demand.mapped)
        if key not in known:
            known.add(key)
            yield candidate


def identity(candidate: Candidate, *, mapped: bool) -> object:
    """What makes a candidate different for the asker; mappings count where they are shown."""
    if len(candidate.allocations) == 1 and len(candidate.mappings) == 1:
        return next(iter(candidate.allocations))
    allocations = frozenset((p, c, n) for p, classes in candidate.allocations.items() for c, n in classes.items())
    return (allocations, frozenset(candidate.mappings.items())) if mapped else allocations


def _in_turn(ways: Iterable[Iterator[Candidate]]) -> Iterator[Candidate]:
    alive: Iterable[Iterator[Candidate]] = ways
    while alive:
        still: list[Iterator[Candidate]] = []
        for way in alive:
            for candidate in islice(way, 1):
                still.append(way)
                yield candidate
        alive = still


def in_tree(demand: Demand, tree: Tree, rng: random.Random | None = None) -> Iterator[Candidate]:
    """The candidates of one tree."""
    if _is_flat(demand, tree):
        candidate = _alone(demand, tree.root)
        if candidate is not None:
            yield candidate
        return
    if not tree.root.has_traits(demand.root):
        return
    choices = _choices(demand, tree)
    if any(not choice.options for choice in choices):
        return
    if rng is not None:
        choices = [
            Choice(c.suffix, c.resources, tuple(rng.sample(c.options, len(c.options))), apart=c.apart) for c in choices
        ]
    required = next((g.condition.required for g in demand.groups if not g.suffix), ())
    for assigned in Search(demand, tree, choices, required).run():
        yield _candidate(choices, assigned, tree)


def _is_flat(demand: Demand, tree: Tree) -> bool:
    """One provider is all there is, for one group."""
    return tree.alone and len(demand.groups) == 1 and not demand.same_subtree


def _alone(demand: Demand, provider: Provider) -> Candidate | None:
    group = demand.groups[0]
    if not group.resources:
        return None
    stocks = provider.stocks
    for name, amount in group.resources.items():
        stock = stocks.get(name)
        if stock is None or not stock.offers(amount):
            return None
    if not (
        provider.has_traits(demand.root) and provider.has_traits(group.condition) and _meets(group, provider, provider)
    ):
        return None
    return Candidate({provider.id: group.resources}, {group.suffix: (provider.id,)}, provider.id)


def _meets(group: Group, provider: Provider, root: Provider | None) -> bool:
    """Forbidden traits, aggregates and tree; for a suffixed group the required traits too.

    An aggregate of the root counts for its whole tree in the unsuffixed group, and only for the root in the others.
    """
    condition = group.condition
    if group.suffix:
        return (
            _aggregates_fit(condition, provider.aggregates)
            and _in_tree(condition, provider)
            and provider.has_traits(condition)
        )
    aggregates = provider.aggregates if root is None else provider.aggregates | root.aggregates
    return (
        not (condition.forbidden & provider.traits)
        and _aggregates_fit(condition, aggregates)
        and _in_tree(condition, provider)
    )


def _in_tree(condition: Condition, provider: Provider) -> bool:
    return condition.in_tree is None or condition.in_tree == str(provider.root_id)


def _aggregates_fit(condition: Condition, aggregates: frozenset[str]) -> bool:
    return not (condition.not_member_of & aggregates) and all(uuids & aggregates for uuids in condition.member_of)


def _choices(demand: Demand, tree: Tree) -> list[Choice]:
    """Narrow choices first: they fail early."""
    found: list[Choice] = []
    for group in demand.groups:
        everyone = tree.providers + tree.shared if group.resources else tree.providers
        able = [p for p in everyone if _meets(group, p, tree.root if p.root_id == tree.root.id else None)]
        parts = [group.resources] if group.suffix else [{name: n} for name, n in group.resources.items()]
        for resources in parts:
            options = tuple(p for p in able if all(_offers(p, name, n) for name, n in resources.items()))
            apart = demand.isolate and bool(group.suffix) and bool(resources)
            found.append(Choice(group.suffix, resources, options, apart=apart))
    found.sort(key=lambda choice: len(choice.options))
    return found


def _offers(provider: Provider, name: str, amount: int) -> bool:
    stock = provider.stocks.get(name)
    return stock is not None and stock.offers(amount)


def _candidate(choices: Sequence[Choice], assigned: Sequence[Provider], tree: Tree) -> Candidate:
    allocations: dict[int, dict[str, int]] = {}
    mappings: dict[str, set[int]] = {}
    for choice, provider in zip(choices, assigned, strict=True):
        mappings.setdefault(choice.suffix, set()).add(provider.id)
        for name, amount in choice.resources.items():
            given = allocations.setdefault(provider.id, {})
            given[name] = given.get(name, 0) + amount
    return Candidate(allocations, {s: tuple(sorted(ids)) for s, ids in mappings.items()}, tree.root.id)
