"""Feeding the search for allocation candidates: SQL picks trees that may serve, and only those are loaded.

Trees are loaded in batches as the search asks for more, so a limit of ten loads tens of providers, not the cloud; what
was loaded before and has not changed since is taken from the shelf. Nothing here reads allocations.
"""

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

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
        self._plans = Plans(database)
        self._shelf = Shelf(classes)
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

    def go(self, limit: int | None, options: SearchOptions) -> bool:
        """Until the limit is reached or no tree is left; False when sharing providers must be known first."""
        rng = random.Random() if options.randomize else None  # noqa: S311  # spreading load, not a secret
        if not self._resolve_trees():
            return True
        demand = self.wanted.demand
        trees = (tree for stamps in self._batches(limit, rng) for tree in self._trees(stamps))
        ways = candidates(demand, trees, strategy=options.strategy, rng=rng)
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

    def _batches(self, limit: int | None, rng: random.Random | None) -> Iterator[dict[int, dict[int, str]]]:
        """Trees worth loading (root id → id → stamp), in order (or shuffled), in growing batches."""
        if rng is None:
            yield from self._in_order(limit)
            return
        everything = [pair for batch in self._in_order(None) for pair in batch.items()]
        rng.shuffle(everything)
        size = max(limit or len(everything), _SMALLEST_BATCH)
        yield from (dict(everything[i : i + size]) for i in range(0, len(everything), size))

    def _in_order(self, limit: int | None) -> Iterator[dict[int, dict[int, str]]]:
        size = _MOST_TREES if limit is None else min(max(limit, _SMALLEST_BATCH), _MOST_TREES)
        last = 0
        while True:
            text, shares = self.plans.read(self.connection, self.wanted, last, size, self.sharing_trait)
            if shares and not self.knows_sharing:
                raise _SomebodyShares
            batch = _parsed(text)
            if batch:
                yield batch
            if len(batch) < size:
                return
            last, size = max(batch), min(size * 4, _MOST_TREES)

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
        member = sa.select(joined(P.id) + " " + stamp(t.providers)).where(among(P.root_id, roots)).order_by(P.id)
        trees = _parsed(",".join(self.connection.scalars(member)))
        self._load({root: trees[root] for root in roots}, {row.uuid for row in rows})
        sharing = tuple(self.providers[i] for i in sorted({row.id for row in rows}))
        self.wanted = replace(self.wanted, sharing=sharing)
        return True

    def _trees(self, stamps: Mapping[int, Mapping[int, str]]) -> list[Tree]:
        """These trees, with what is shared with them."""
        fresh = {root: members for root, members in stamps.items() if root not in self.found.members}
        self._load(fresh)
        trees: dict[int, Tree] = {}
        several: list[Provider] = []
        for root in stamps:
            members = [self.providers[i] for i in self.found.members[root]]
            if len(members) == 1 and members[0].id == root == members[0].root_id:
                trees[root] = Tree(members[0], (members[0],))
            else:
                several += members
        trees.update((tree.root.id, tree) for tree in grow(several))
        if self.wanted.sharing:
            for tree in trees.values():
                own = frozenset().union(*(p.aggregates for p in tree.providers))
                near = (s for s in self.wanted.sharing if s.id not in tree.by_id and s.aggregates & own)
                tree.shared = tuple(near)
        return [trees[root] for root in stamps if root in trees]

    def _load(self, trees: Mapping[int, Mapping[int, str]], extra: Collection[str] = ()) -> None:
        if not trees:
            return
        stamps = {i: mark for members in trees.values() for i, mark in members.items()}
        cards = self.shelf.get(self.connection, stamps)
        self.found.cards.update(cards)
        whole = len(cards) == len(stamps)
        for root, members in trees.items():
            self.found.members[root] = sorted(members) if whole else sorted(members.keys() & cards.keys())
        relevant = self.wanted.demand.aggregates.union(extra, *(s.aggregates for s in self.wanted.sharing))
        aggregates = self._aggregates_of(sorted(trees), relevant)
        self.providers.update((i, card.provider) for i, card in cards.items())
        for i in aggregates.keys() & cards.keys():
            self.providers[i] = replace(cards[i].provider, aggregates=frozenset(aggregates[i]))

    def _aggregates_of(self, roots: Sequence[int], uuids: Collection[str]) -> dict[int, set[str]]:
        found: dict[int, set[str]] = {}
        if not uuids:
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


def _parsed(text: str | None) -> dict[int, dict[int, str]]:
    """Root id → id → stamp, by root id."""
    found: dict[int, dict[int, str]] = {}
    for part in text.split(",") if text else ():
        number, mark = part.split(" ", 1)
        root = int(mark.split(" ", 2)[1])
        found.setdefault(root, {})[int(number)] = mark
    return dict(sorted(found.items()))
