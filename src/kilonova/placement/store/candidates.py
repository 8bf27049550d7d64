"""Feeding the search for allocation candidates: SQL picks trees that may serve, and only those are loaded.

Trees are loaded in batches as the search asks for more, so a limit of ten loads tens of providers, not the cloud; what
was loaded before and has not changed since is taken from the shelf. Nothing here reads allocations.
"""

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from operator import attrgetter

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kilonova.kit.db.engine import Database
from kilonova.placement.domain.candidates import Candidate, Strategy, candidates, distinct
from kilonova.placement.domain.demand import Demand
from kilonova.placement.domain.names import SHARING_TRAIT
from kilonova.placement.domain.topology import Provider, Tree, grow
from kilonova.placement.store import tables as t
from kilonova.placement.store.coarse import Wanted
from kilonova.placement.store.filters import among
from kilonova.placement.store.names import NameBook
from kilonova.placement.store.plans import Plans
from kilonova.placement.store.shelf import Card, Shelf, joined, stamp

P = t.providers.c
_MOST_TREES = 4000
"""Of one statement."""
_SMALLEST_BATCH = 50


@dataclass(slots=True)
class Found:
    """Candidates, and every provider that was loaded for them."""

    candidates: list[Candidate] = field(default_factory=list)
    cards: dict[int, Card] = field(default_factory=dict)
    members: dict[int, list[int]] = field(default_factory=dict)
    """Root id → ids of its tree, of those that have more than a root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """How candidates are made; ``maximum`` bounds them whatever the request says (None: no bound)."""

    randomize: bool = False
    maximum: int | None = None
    strategy: Strategy = "depth-first"


class CandidateSearch:
    """Answers demands from the database."""

    def __init__(
        self, database: Database, names: tuple[NameBook, NameBook], options: SearchOptions, ids: dict[str, int]
    ) -> None:
        """``names``: the books of classes and traits. ``ids`` learns the ids of providers by their uuids."""
        self._database = database
        self._classes, self._traits = names
        self._options = options
        self._plans = Plans(database)
        self._shelf = Shelf(self._classes, ids)
        self._sharing_seen = False

    def find(self, demand: Demand) -> Found:
        """Raises UnknownQueryNames."""
        with self._database.read() as connection:
            classes = self._classes.demand(connection, demand.classes, field="resources")
            traits = self._traits.demand(connection, demand.traits, field="required")
            sharing = self._traits.ids(connection, [SHARING_TRAIT]).get(SHARING_TRAIT, 0)
            wanted = Wanted(demand, classes, traits)
            limit = _smaller(demand.limit, self._options.maximum)
            # Whether anybody shares is known with the first batch; most clouds have nobody who does.
            run = _Run(connection, wanted, self._plans, self._shelf, sharing)
            if self._sharing_seen or not run.go(limit, self._options):
                run = _Run(connection, wanted, self._plans, self._shelf, sharing)
                self._sharing_seen = run.load_sharing()
                run.go(limit, self._options)
            return run.found


_by_id = attrgetter("provider.id")


def _smaller(one: int | None, other: int | None) -> int | None:
    known = [n for n in (one, other) if n is not None]
    return min(known) if known else None


class _SomebodyShares(Exception):
    """A search that left out sharing providers found that there are some."""


class _Run:
    """One search."""

    def __init__(self, connection: Connection, wanted: Wanted, plans: Plans, shelf: Shelf, sharing_trait: int) -> None:
        self.connection = connection
        self.wanted = wanted
        self.plans = plans
        self.shelf = shelf
        self.sharing_trait = sharing_trait
        self.knows_sharing = False
        self.found = Found()
        self.providers: dict[int, Provider] = {}
        self.unchecked: Collection[frozenset[str]] = ()
        self.shuffled = False
        self.loose = False
        """Have some of the providers loaded last aggregates that matter?"""

    def go(self, limit: int | None, options: SearchOptions) -> bool:
        """Until the limit is reached or no tree is left; False when sharing providers must be known first."""
        self.shuffled = options.randomize
        rng = random.Random() if options.randomize else None  # noqa: S311  # spreading load, not a secret
        if not self._resolve_trees():
            return True
        demand = self.wanted.demand
        trees = (tree for stamps in self._batches(limit, rng) for tree in self._trees(stamps))
        # The statement is exact for providers that stand alone, unless somebody could help them.
        ways = candidates(demand, trees, strategy=options.strategy, rng=rng, sifted=not self.wanted.sharing)
        try:
            self.found.candidates.extend(islice(distinct(ways, demand), limit))
        except _SomebodyShares:
            return False
        return True

    def _resolve_trees(self) -> bool:
        """Uuids of ``in_tree`` become root ids; False when one is unknown, so that nothing can be found."""
        groups = self.wanted.demand.groups
        uuids = {g.condition.in_tree for g in groups if g.condition.in_tree is not None}
        if not uuids:
            return True
        rows = self.connection.execute(sa.select(P.uuid, P.root_id).where(P.uuid.in_(sorted(uuids))))
        roots = {row.uuid: str(row.root_id) for row in rows}
        if uuids - roots.keys():
            return False
        resolved = tuple(
            replace(g, condition=replace(g.condition, in_tree=roots[g.condition.in_tree]))
            if g.condition.in_tree is not None
            else g
            for g in groups
        )
        self.wanted = replace(self.wanted, demand=replace(self.wanted.demand, groups=resolved))
        return True

    def _batches(self, limit: int | None, rng: random.Random | None) -> Iterator[list[str]]:
        """Stamps of trees worth loading, in order (or shuffled), in growing batches."""
        if rng is None:
            yield from self._in_order(limit)
            return
        trees: dict[str, list[str]] = {}
        for stamps in self._in_order(None):
            for one in stamps:
                trees.setdefault(one.split(" ")[2], []).append(one)
        everything = list(trees.values())
        rng.shuffle(everything)
        size = max(limit or len(everything), _SMALLEST_BATCH)
        for start in range(0, len(everything), size):
            yield [one for tree in everything[start : start + size] for one in tree]

    def _in_order(self, limit: int | None) -> Iterator[list[str]]:
        size = _MOST_TREES if limit is None else min(max(limit, _SMALLEST_BATCH), _MOST_TREES)
        last = 0
        while True:
            batch = self.plans.read(self.connection, self.wanted, last, size, self.sharing_trait)
            if batch.shares and not self.knows_sharing:
                raise _SomebodyShares
            if batch.stamps:
                self.unchecked = batch.unchecked
                yield batch.stamps
            if batch.trees < size:
                return
            last, size = batch.last_root, min(size * 4, _MOST_TREES)

    def load_sharing(self) -> bool:
        """Sharing providers that have something asked for, with the aggregates they share by. Are there any?"""
        self.knows_sharing = True
        named = t.provider_traits.c
        ids = sa.select(named.provider_id).where(named.trait_id == self.sharing_trait)
        stock = t.inventories.c
        query = (
            sa.select(P.id, P.root_id, t.aggregates.c.uuid)
            .join(t.provider_aggregates, t.provider_aggregates.c.provider_id == P.id)
            .join(t.aggregates, t.aggregates.c.id == t.provider_aggregates.c.aggregate_id)
            .where(
                P.id.in_(ids),
                sa.exists().where(stock.provider_id == P.id, stock.class_id.in_(sorted(self.wanted.classes.values()))),
            )
            .order_by(P.id)
        )
        rows = self.connection.execute(query).all()
        if not rows:
            return False
        roots = sorted({row.root_id for row in rows})
        member = sa.select(stamp(t.providers)).where(P.root_id.in_(roots)).order_by(P.id)
        self._load(self.connection.scalars(member).all(), {row.uuid for row in rows})
        sharing = tuple(self.providers[i] for i in sorted({row.id for row in rows}))
        self.wanted = replace(self.wanted, sharing=sharing)
        return True

    def _trees(self, stamps: Sequence[str]) -> list[Tree]:
        """The trees of these providers, with what is shared with them."""
        cards = self._load(stamps)
        if len({card.provider.root_id for card in cards}) == len(cards) and not self.wanted.sharing and not self.loose:
            return self._checked([card.alone for card in cards if card.alone is not None])
        order = dict.fromkeys(card.provider.root_id for card in cards)
        trees = {tree.root.id: tree for tree in grow(self.providers[card.provider.id] for card in cards)}
        for root, tree in trees.items():
            if len(tree.providers) > 1:
                self.found.members[root] = [p.id for p in tree.providers]
            if self.wanted.sharing:
                own = frozenset().union(*(p.aggregates for p in tree.providers))
                near = (s for s in self.wanted.sharing if s.id not in tree.by_id and s.aggregates & own)
                tree.shared = tuple(near)
        return self._checked([trees[root] for root in order if root in trees])

    def _checked(self, trees: list[Tree]) -> list[Tree]:
        """Without those, of one provider, that lack what the statement did not look at."""
        sets = self.unchecked
        if not sets:
            return trees
        return [tree for tree in trees if not tree.alone or all(names & tree.root.traits for names in sets)]

    def _load(self, stamps: Sequence[str], extra: Collection[str] = ()) -> list[Card]:
        cards = self.shelf.get(self.connection, stamps)
        if not self.shuffled:
            cards.sort(key=_by_id)  # databases may join in any order
        self.found.cards.update((card.provider.id, card) for card in cards)
        relevant = self.wanted.demand.aggregates.union(extra, *(s.aggregates for s in self.wanted.sharing))
        roots = {card.provider.root_id for card in cards}
        exact = len(roots) == len(cards) and len(self.wanted.demand.groups) == 1 and not self.wanted.sharing
        aggregates = {} if exact and not extra else self._aggregates_of(sorted(roots), relevant)
        self.loose = bool(aggregates)
        for card in cards:
            provider = card.provider
            mine = aggregates.get(provider.id)
            self.providers[provider.id] = provider if mine is None else replace(provider, aggregates=frozenset(mine))
        return cards

    def _aggregates_of(self, roots: Sequence[int], uuids: Collection[str]) -> dict[int, set[str]]:
        found: dict[int, set[str]] = {}
        if not uuids or not roots:
            return found
        c = t.provider_aggregates.c
        query = (
            sa.select(t.aggregates.c.uuid, sa.func.aggregate_strings(joined(c.provider_id), ","))
            .join(t.aggregates, t.aggregates.c.id == c.aggregate_id)
            .where(among(c.root_id, roots), t.aggregates.c.uuid.in_(sorted(uuids)))
            .group_by(t.aggregates.c.uuid)
        )
        for uuid, ids in self.connection.execute(query):
            for word in ids.split(","):
                found.setdefault(int(word), set()).add(uuid)
        return found
