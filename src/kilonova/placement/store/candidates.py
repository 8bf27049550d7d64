"""Feeding the search for allocation candidates: SQL picks trees that may serve, and only those are loaded.

Trees are loaded in batches as the search asks for more, so a limit of ten loads tens of providers, not the cloud.
Nothing here reads allocations.
"""

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kilonova.kit.db.engine import Database
from kilonova.placement.domain.candidates import Candidate, Strategy, candidates, distinct
from kilonova.placement.domain.demand import Demand
from kilonova.placement.domain.inventory import Stock
from kilonova.placement.domain.names import SHARING_TRAIT
from kilonova.placement.domain.topology import Provider, Tree, grow
from kilonova.placement.store import tables as t
from kilonova.placement.store.coarse import tree_clauses
from kilonova.placement.store.filters import among
from kilonova.placement.store.names import NameBook

P = t.providers.c
_IDS_A_STATEMENT = 8000
_SMALLEST_BATCH = 50


@dataclass(slots=True)
class Facts:
    """A provider for the reply."""

    id: int
    uuid: str
    generation: int
    root_id: int
    parent_id: int | None
    trait_list: str
    """JSON text."""


@dataclass(slots=True)
class Found:
    """Candidates, and every provider that was loaded for them."""

    candidates: list[Candidate] = field(default_factory=list)
    facts: dict[int, Facts] = field(default_factory=dict)
    stocks: dict[int, dict[str, Stock]] = field(default_factory=dict)
    members: dict[int, list[int]] = field(default_factory=dict)
    """Root id → ids of its tree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """How candidates are made; ``maximum`` bounds them whatever the request says (None: no bound)."""

    randomize: bool = False
    maximum: int | None = None
    strategy: Strategy = "depth-first"


class CandidateSearch:
    """Answers demands from the database."""

    def __init__(self, database: Database, classes: NameBook, traits: NameBook, options: SearchOptions) -> None:
        self._database = database
        self._classes = classes
        self._traits = traits
        self._options = options

    def find(self, demand: Demand) -> Found:
        """Raises UnknownQueryNames."""
        with self._database.read() as connection:
            classes = self._classes.demand(connection, demand.classes, field="resources")
            traits = self._traits.demand(connection, demand.traits, field="required")
            sharing = self._traits.ids(connection, [SHARING_TRAIT]).get(SHARING_TRAIT)
            run = _Run(connection, demand, classes, traits, self._classes)
            limit = _smaller(demand.limit, self._options.maximum)
            return run.go(limit, self._options, sharing)


def _smaller(one: int | None, other: int | None) -> int | None:
    known = [n for n in (one, other) if n is not None]
    return min(known) if known else None


class _Run:
    """One search."""

    def __init__(
        self,
        connection: Connection,
        demand: Demand,
        classes: Mapping[str, int],
        traits: Mapping[str, int],
        book: NameBook,
    ) -> None:
        self.connection = connection
        self.demand = demand
        self.classes = classes
        self.traits = traits
        self.book = book
        self.found = Found()
        self.providers: dict[int, Provider] = {}
        self.sharing: list[Provider] = []

    def go(self, limit: int | None, options: SearchOptions, sharing: int | None) -> Found:
        """Batches of trees until the limit is reached or no tree is left."""
        rng = random.Random() if options.randomize else None  # noqa: S311  # spreading load, not a secret
        if sharing is not None:
            self._load_sharing(sharing)
        if not self._resolve_trees():
            return self.found
        trees = (tree for roots in self._batches(limit, rng) for tree in self._load(roots))
        ways = candidates(self.demand, trees, strategy=options.strategy, rng=rng)
        self.found.candidates.extend(islice(distinct(ways, self.demand), limit))
        return self.found

    def _resolve_trees(self) -> bool:
        """Uuids of ``in_tree`` become root ids; False when one is unknown, so that nothing can be found."""
        uuids = {g.condition.in_tree for g in self.demand.groups if g.condition.in_tree is not None}
        if not uuids:
            return True
        rows = self.connection.execute(sa.select(P.uuid, P.root_id).where(P.uuid.in_(sorted(uuids))))
        roots = {row.uuid: str(row.root_id) for row in rows}
        if uuids - roots.keys():
            return False
        self.demand = replace(
            self.demand,
            groups=tuple(
                replace(g, condition=replace(g.condition, in_tree=roots[g.condition.in_tree]))
                if g.condition.in_tree is not None
                else g
                for g in self.demand.groups
            ),
        )
        return True

    def _batches(self, limit: int | None, rng: random.Random | None) -> Iterator[list[int]]:
        """Ids of roots worth loading, in order (or shuffled), in growing batches."""
        query = (
            sa.select(P.id)
            .where(P.root_id == P.id, *tree_clauses(self.demand, self.classes, self.traits, self.sharing))
            .order_by(P.id)
        )
        if limit is None or rng is not None:
            roots = list(self.connection.scalars(query))
            if rng is not None:
                rng.shuffle(roots)
            size = len(roots) if limit is None else max(limit, _SMALLEST_BATCH)
            yield from (roots[i : i + size] for i in range(0, len(roots), max(size, 1)))
            return
        size, last = max(limit, _SMALLEST_BATCH), 0
        while True:
            batch = list(self.connection.scalars(query.where(P.id > last).limit(size)))
            if batch:
                yield batch
            if len(batch) < size:
                return
            last, size = batch[-1], size * 4

    def _load_sharing(self, trait_id: int) -> None:
        """Sharing providers that have something asked for, with the aggregates they share by."""
        named = t.provider_traits.c
        ids = sa.select(named.provider_id).where(named.trait_id == trait_id)
        stock = t.inventories.c
        query = (
            sa.select(P.id, P.root_id, t.aggregates.c.uuid)
            .join(t.provider_aggregates, t.provider_aggregates.c.provider_id == P.id)
            .join(t.aggregates, t.aggregates.c.id == t.provider_aggregates.c.aggregate_id)
            .where(
                P.id.in_(ids),
                sa.exists().where(stock.provider_id == P.id, stock.class_id.in_(sorted(self.classes.values()))),
            )
            .order_by(P.id)
        )
        rows = self.connection.execute(query).all()
        if not rows:
            return
        self._load(sorted({row.root_id for row in rows}), aggregates={row.uuid for row in rows})
        self.sharing = [self.providers[i] for i in sorted({row.id for row in rows})]

    def _load(self, roots: Sequence[int], *, aggregates: Collection[str] = ()) -> list[Tree]:
        """Trees of these roots, with what is shared with them."""
        fresh = [r for r in roots if r not in self.found.members]
        for start in range(0, len(fresh), _IDS_A_STATEMENT):
            self._load_part(fresh[start : start + _IDS_A_STATEMENT], aggregates)
        trees = grow(self.providers[i] for r in roots for i in self.found.members[r])
        return [self._with_shared(tree) for tree in self._ordered(trees, roots)]

    def _ordered(self, trees: Sequence[Tree], roots: Sequence[int]) -> list[Tree]:
        by_root = {tree.root.id: tree for tree in trees}
        return [by_root[r] for r in roots if r in by_root]

    def _with_shared(self, tree: Tree) -> Tree:
        if not self.sharing:
            return tree
        own = frozenset().union(*(p.aggregates for p in tree.providers))
        tree.shared = tuple(s for s in self.sharing if s.id not in tree.by_id and s.aggregates & own)
        return tree

    def _load_part(self, roots: Sequence[int], extra: Collection[str]) -> None:
        columns = (P.id, P.uuid, P.generation, P.root_id, P.parent_id, P.trait_list)
        rows = self.connection.execute(sa.select(*columns).where(among(P.root_id, roots)).order_by(P.id)).all()
        traits = self._traits_of(roots)
        relevant = self.demand.aggregates.union(extra, *(s.aggregates for s in self.sharing))
        aggregates = self._aggregates_of(roots, relevant)
        stocks = self._stocks_of(roots)
        none: frozenset[str] = frozenset()
        for row in rows:
            self.found.facts[row.id] = Facts(*row)
            self.found.members.setdefault(row.root_id, []).append(row.id)
            mine = self.found.stocks[row.id] = stocks.get(row.id, {})
            self.providers[row.id] = Provider(
                id=row.id,
                parent_id=row.parent_id,
                root_id=row.root_id,
                stocks=mine,
                traits=traits.get(row.id, none),
                aggregates=aggregates.get(row.id, none),
            )

    def _stocks_of(self, roots: Sequence[int]) -> dict[int, dict[str, Stock]]:
        c = t.inventories.c
        columns = (c.provider_id, c.class_id, c.capacity, c.used, c.min_unit, c.max_unit, c.step_size)
        rows = self.connection.execute(sa.select(*columns).where(among(c.root_id, roots))).all()
        names = self.book.names(self.connection, {row[1] for row in rows})
        found: dict[int, dict[str, Stock]] = {}
        for provider_id, class_id, *stock in rows:
            found.setdefault(provider_id, {})[names[class_id]] = Stock(*stock)
        return found

    def _traits_of(self, roots: Sequence[int]) -> dict[int, frozenset[str]]:
        """Those the demand speaks of."""
        if not self.traits:
            return {}
        c, names = t.provider_traits.c, {i: n for n, i in self.traits.items()}
        where = (among(c.root_id, roots), c.trait_id.in_(sorted(names)))
        return _gathered(
            (row[0], names[row[1]])
            for row in self.connection.execute(sa.select(c.provider_id, c.trait_id).where(*where))
        )

    def _aggregates_of(self, roots: Sequence[int], uuids: Collection[str]) -> dict[int, frozenset[str]]:
        if not uuids:
            return {}
        c = t.provider_aggregates.c
        query = (
            sa.select(c.provider_id, t.aggregates.c.uuid)
            .join(t.aggregates, t.aggregates.c.id == c.aggregate_id)
            .where(among(c.root_id, roots), t.aggregates.c.uuid.in_(sorted(uuids)))
        )
        return _gathered((row[0], row[1]) for row in self.connection.execute(query))


def _gathered(pairs: Any) -> dict[int, frozenset[str]]:
    found: dict[int, set[str]] = {}
    for provider_id, name in pairs:
        found.setdefault(provider_id, set()).add(name)
    return {provider_id: frozenset(names) for provider_id, names in found.items()}
