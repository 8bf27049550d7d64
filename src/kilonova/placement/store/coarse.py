"""Which trees may serve a demand at all, as SQL.

Roots are chosen whose trees have, by index look-ups, what each group needs at least; for flat providers that is exact.
What providers of other trees share counts as reachable for everyone in their aggregates; the search itself decides.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from kilonova.placement.domain.demand import Condition, Demand, Group
from kilonova.placement.domain.topology import Provider
from kilonova.placement.store import tables as t
from kilonova.placement.store.filters import (
    Clause,
    condition_clauses,
    in_aggregates,
    offers,
    with_traits,
    without_traits,
)

P = t.providers.c
Ids = Mapping[str, int]


def tree_clauses(demand: Demand, classes: Ids, traits: Ids, sharing: Sequence[Provider]) -> list[Clause]:
    """Conditions on a root's row; ids of all names are given."""
    found = [with_traits(P.id, [traits[n] for n in names]) for names in demand.root.required]
    if demand.root.forbidden:
        found.append(without_traits(P.id, [traits[n] for n in demand.root.forbidden]))
    for group in demand.groups:
        found.extend(_Clauses(group, classes, traits, sharing).all())
    return found


@dataclass(frozen=True, slots=True)
class _Clauses:
    """What a tree must have to serve one group, alone or with what is shared with it."""

    group: Group
    classes: Ids
    traits: Ids
    sharing: Sequence[Provider]

    def all(self) -> list[Clause]:
        """Conditions on a root's row."""
        found: list[Clause] = []
        group = self.group
        if not self._helpers(group.resources):
            found.extend(self._somewhere(group.condition))
        for resources, clause in self._served():
            reach = _reach(self._helpers(resources))
            found.append(clause if reach is None else sa.or_(clause, reach))
        return found

    def _helpers(self, resources: Ids) -> list[Provider]:
        return [s for s in self.sharing if any(name in s.stocks for name in resources)]

    def _somewhere(self, condition: Condition) -> list[Clause]:
        """Traits and aggregates that some provider of the tree must have. Few have them: the database starts here."""
        found: list[Clause] = []
        if condition.in_tree is not None:
            found.append(P.id == int(condition.in_tree))
        found.extend(with_traits(P.id, [self.traits[n] for n in names], by="root_id") for names in condition.required)
        found.extend(in_aggregates(P.id, uuids, by="root_id") for uuids in condition.member_of)
        return found

    def _served(self) -> list[tuple[Ids, Clause]]:
        """Some provider of the tree gives … : all of a suffixed group, or each class of the unsuffixed one."""
        group = self.group
        if not group.resources:
            return []
        if group.suffix:
            return [(group.resources, self._one_gives(group.resources, group.condition))]
        loose = Condition(forbidden=group.condition.forbidden)
        parts = [{name: amount} for name, amount in group.resources.items()]
        return [(part, self._one_gives(part, loose)) for part in parts]

    def _one_gives(self, resources: Ids, condition: Condition) -> Clause:
        wanted = tuple((self.classes[name], amount) for name, amount in resources.items())
        return _gives(wanted, condition, tuple((name, self.traits[name]) for name in sorted(condition.traits)))


@functools.lru_cache(maxsize=2048)
def _gives(wanted: tuple[tuple[int, int], ...], condition: Condition, traits: tuple[tuple[str, int], ...]) -> Clause:
    """Putting this together costs more than running it, and clouds ask for the same few flavors again and again."""
    first, *others = wanted
    stock = t.inventories.alias()
    clauses: list[Clause] = [stock.c.root_id == P.id, *offers(stock, *first)]
    for class_id, amount in others:
        more = t.inventories.alias()
        same = more.c.provider_id == stock.c.provider_id
        clauses.append(sa.exists().where(same, *offers(more, class_id, amount)).correlate(stock))
    clauses.extend(condition_clauses(stock.c.provider_id, condition, dict(traits)))
    return sa.exists().where(*clauses).correlate(t.providers)


def _reach(helpers: Sequence[Provider]) -> Clause | None:
    """Roots of trees that one of the sharing providers reaches."""
    shared: frozenset[str] = frozenset().union(*(s.aggregates for s in helpers))
    return in_aggregates(P.id, shared, by="root_id") if shared else None
