"""Which trees may serve a demand at all, as one SQL statement that stops at its limit.

The statement walks an index of inventories in the order of trees and keeps those trees in which each class that is
asked for is found somewhere, with the traits and aggregates of the groups; for flat providers that is exact. Where few
trees have one of the things asked for, it starts from those instead (``Start``). Subqueries are written as comparisons
with a limit, which no database turns around: each would start from a trait that every host has.

What providers of other trees share counts as reachable for everyone in their aggregates; the search itself decides.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from kilonova.placement.domain.demand import Demand, Group
from kilonova.placement.domain.topology import Provider
from kilonova.placement.store import tables as t
from kilonova.placement.store.filters import Clause
from kilonova.placement.store.shelf import stamp

INV = t.inventories.c
TRAIT = t.provider_traits.c
MEMBER = t.provider_aggregates.c
P = t.providers.c
Ids = Mapping[str, int]
_ONE = sa.literal_column("1", sa.Integer)
# Statements start from these; an alias costs more to make than to use.
_STOCK = t.inventories.alias("anchor")
_TRAITED = t.provider_traits.alias("anchor")
_GATHERED = t.provider_aggregates.alias("anchor")


@dataclass(frozen=True, slots=True)
class Start:
    """Something that a tree must have: a key to remember it by, and the rows (of roots) that say who has it.

    ``index`` gives those rows by root, so that a statement may walk it to its limit; None: they must be sorted first.
    """

    key: tuple[str, object]
    table: sa.FromClause
    where: Clause
    index: str | None = None

    @property
    def roots(self) -> sa.Select[tuple[int]]:
        """Ids of the roots, repeated where a tree has it twice."""
        return sa.select(self.table.c.root_id).where(self.where)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A demand with the ids of its names, and the sharing providers that could help."""

    demand: Demand
    classes: Ids
    traits: Ids
    sharing: Sequence[Provider] = ()
    unchecked: Collection[frozenset[str]] = ()
    """Of required traits: those that the statement need not look at."""

    def key(self) -> object:
        """Equal for equal statements."""
        groups = tuple((bool(g.suffix), tuple(g.resources.items()), g.condition) for g in self.demand.groups)
        helpers = tuple((s.id, frozenset(s.stocks), s.aggregates) for s in self.sharing)
        return groups, self.demand.root, tuple(self.traits.items()), tuple(self.classes.items()), helpers

    def helpers(self, names: Collection[str]) -> list[Provider]:
        """Sharing providers with any of the classes."""
        return [s for s in self.sharing if any(name in s.stocks for name in names)]

    def trait_ids(self, names: Collection[str]) -> tuple[int, ...]:
        """Sorted."""
        return tuple(sorted(self.traits[name] for name in names))

    def starts(self) -> Iterator[Start]:
        """Everything that each tree must have itself."""
        for names in self.demand.root.required:
            yield _trait_start(self.trait_ids(names))
        for group in self.demand.groups:
            for name, amount in group.resources.items():
                if not self.helpers([name]):
                    yield _room_start(self.classes[name], amount)
            if not self.helpers(group.resources):
                for names in group.condition.required:
                    yield _trait_start(self.trait_ids(names))
                for uuids in group.condition.member_of:
                    yield _aggregate_start(uuids)


def _room_start(class_id: int, amount: int) -> Start:
    return Start(
        ("room", (class_id, amount)), _STOCK, sa.and_(_STOCK.c.class_id == class_id, _STOCK.c.claimable >= amount)
    )


def _trait_start(ids: tuple[int, ...]) -> Start:
    if len(ids) == 1:
        return Start(("traits", ids), _TRAITED, _TRAITED.c.trait_id == ids[0], "provider_traits_by_tree")
    return Start(("traits", ids), _TRAITED, _TRAITED.c.trait_id.in_(ids))


def _aggregate_start(uuids: frozenset[str]) -> Start:
    a = t.aggregates.c
    ids = sa.select(a.id).where(a.uuid.in_(sorted(uuids)))
    if len(uuids) == 1:
        where = _GATHERED.c.aggregate_id == ids.scalar_subquery()
        return Start(("aggregates", uuids), _GATHERED, where, "provider_aggregates_by_tree")
    return Start(("aggregates", uuids), _GATHERED, _GATHERED.c.aggregate_id.in_(ids))


def _members(uuids: Collection[str]) -> sa.Select[tuple[int]]:
    named = t.aggregates.c
    members = sa.select(MEMBER.root_id).join(t.aggregates, named.id == MEMBER.aggregate_id)
    return members.where(named.uuid.in_(sorted(uuids)))


def stamps(wanted: Wanted, start: Start | None, last: int, size: int, sharing: int | None) -> sa.Select[Any]:
    """Stamps of all providers in the first ``size`` trees after root ``last`` that may serve.

    One row: number of providers, stamps as one text, number of trees, last root, and 1 if any provider has the trait
    ``sharing``.
    """
    roots = _roots(wanted, start, last).limit(size).subquery("roots")
    member = t.providers.alias("member")
    shares = sa.select(_ONE).select_from(t.provider_traits).where(TRAIT.trait_id == sharing).limit(1).scalar_subquery()
    tops = sa.func.sum(sa.case((member.c.id == member.c.root_id, 1), else_=0))
    columns = (sa.func.count(), sa.func.aggregate_strings(stamp(member), ","), tops, sa.func.max(member.c.root_id))
    return sa.select(*columns, shares).select_from(roots.join(member, member.c.root_id == roots.c.root_id))


def _roots(wanted: Wanted, start: Start | None, last: int) -> sa.Select[Any]:
    """Ids of roots, in order."""
    classes = sorted(wanted.classes.values())
    if start is None and _own_inventory_needed(wanted):
        root: sa.ColumnElement[int] = INV.root_id
        query = sa.select(root).where(INV.class_id.in_(classes))
        query = query.with_hint(t.inventories, "FORCE INDEX (inventories_by_tree)", "mysql")
        clauses = _Clauses(wanted, root)
        query = query.having(sa.and_(*clauses.rooms(), *clauses.names()))
    else:
        anchor = _anchor(start)
        root = anchor.c.root_id
        found = sa.and_(INV.root_id == root, INV.class_id.in_(classes))
        query = sa.select(root).select_from(anchor.outerjoin(t.inventories, found))
        if start is not None and start.index is not None:
            query = query.where(start.where).with_hint(anchor, f"FORCE INDEX ({start.index})", "mysql")
        clauses = _Clauses(wanted, root)
        query = query.where(*clauses.names(start)).having(sa.and_(sa.true(), *clauses.rooms()))
    for group in wanted.demand.groups:
        if group.condition.in_tree is not None and not wanted.helpers(group.resources):
            query = query.where(root == int(group.condition.in_tree))
    return query.where(root > last).group_by(root).order_by(root)


def _anchor(start: Start | None) -> sa.FromClause:
    """Where roots come from: an index that has them in order, or a list of them."""
    if start is None:
        return sa.select(P.id.label("root_id")).where(P.root_id == P.id).subquery("anchor")
    return start.table if start.index is not None else start.roots.distinct().subquery("anchor")


def _own_inventory_needed(wanted: Wanted) -> bool:
    """Is there a class that only the tree's own providers can give?"""
    return any(not wanted.helpers([name]) for name in wanted.demand.classes)


def _first(rows: sa.Select[Any], source: sa.FromClause) -> sa.ScalarSelect[int]:
    """1 if there is a row, else null."""
    return rows.with_only_columns(_ONE, maintain_column_froms=True).limit(1).correlate(source).scalar_subquery()


@dataclass(frozen=True, slots=True)
class _Clauses:
    """Conditions on a tree, by the column of its root's id."""

    wanted: Wanted
    root: sa.ColumnElement[int]

    def names(self, start: Start | None = None) -> Iterator[Clause]:
        """Traits and aggregates, but for what the statement starts from."""
        condition = self.wanted.demand.root
        for names in condition.required:
            yield self._first_trait(TRAIT.provider_id, names) == _ONE
        if condition.forbidden:
            yield self._first_trait(TRAIT.provider_id, condition.forbidden).is_(None)
        known = None if start is None else start.key
        for group in self.wanted.demand.groups:
            if self.wanted.helpers(group.resources):
                continue
            for names in group.condition.required:
                if names not in self.wanted.unchecked and ("traits", self.wanted.trait_ids(names)) != known:
                    yield self._first_trait(TRAIT.root_id, names) == _ONE
            for uuids in group.condition.member_of:
                if ("aggregates", uuids) != known:
                    yield self._in(uuids)

    def rooms(self) -> Iterator[Clause]:
        """Sums over a tree's inventories: each class is found somewhere."""
        for group in self.wanted.demand.groups:
            for name, amount in group.resources.items():
                here = self._room(self.wanted.classes[name], amount, group)
                reach = self._reach(self.wanted.helpers(group.resources if group.suffix else [name]))
                yield here if reach is None else sa.or_(here, reach)

    def _source(self) -> sa.FromClause:
        source: sa.FromClause = self.root.table
        return source

    def _first_trait(self, column: sa.ColumnElement[int], names: Collection[str]) -> sa.ScalarSelect[int]:
        rows = sa.select(TRAIT.trait_id).where(column == self.root, TRAIT.trait_id.in_(self.wanted.trait_ids(names)))
        return _first(rows, self._source())

    def _in(self, aggregates: Collection[str]) -> Clause:
        return _first(_members(aggregates).where(MEMBER.root_id == self.root), self._source()) == _ONE

    def _room(self, class_id: int, amount: int, group: Group) -> Clause:
        """Some provider of the tree has room, and nothing that the group forbids."""
        fits: list[Clause] = [
            INV.class_id == class_id,
            INV.claimable >= amount,
            INV.min_unit <= amount,
            sa.literal(amount) % INV.step_size == 0,
        ]
        condition = group.condition
        if condition.forbidden:
            ids = self.wanted.trait_ids(condition.forbidden)
            rows = sa.select(TRAIT.trait_id).where(TRAIT.provider_id == INV.provider_id, TRAIT.trait_id.in_(ids))
            fits.append(_first(rows, t.inventories).is_(None))
        if condition.not_member_of:
            rows = _members(condition.not_member_of).where(MEMBER.provider_id == INV.provider_id)
            fits.append(_first(rows, t.inventories).is_(None))
        return sa.func.max(sa.case((sa.and_(*fits), 1), else_=0)) == 1

    def _reach(self, helpers: Sequence[Provider]) -> Clause | None:
        """The tree is in an aggregate of one of the sharing providers."""
        shared: frozenset[str] = frozenset().union(*(s.aggregates for s in helpers))
        return self._in(shared) if shared else None
