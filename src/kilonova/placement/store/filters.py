"""Conditions on providers as SQL."""

from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa

from kilonova.placement.domain.demand import Condition, ProviderFilter
from kilonova.placement.store import tables as t

Clause = sa.ColumnElement[bool]
P = t.providers.c
_DENSE = 2


def offers(stock: sa.FromClause, class_id: int, amount: int) -> list[Clause]:
    """The inventory row is of the class and ``amount`` may be claimed of it now."""
    c = stock.c
    return [
        c.class_id == class_id,
        c.used + amount <= c.capacity,
        c.min_unit <= amount,
        c.max_unit >= amount,
        sa.literal(amount) % c.step_size == 0,
    ]


def among(column: sa.ColumnElement[int], ids: Sequence[int]) -> Clause:
    """``column`` is one of many ids: as a range where they lie close (others within it come along), else by name.

    A thousand bound parameters cost the driver and the database more than the rows they ask for.
    """
    low, high = min(ids), max(ids)
    if high - low < _DENSE * len(ids):
        return column.between(low, high)
    return column.in_(sa.bindparam(None, list(ids), type_=sa.Integer, expanding=True, literal_execute=True))


def in_tree_of(uuid: str) -> sa.ScalarSelect[int]:
    """The root's id of the tree that ``uuid`` is in."""
    member = t.providers.alias("member")
    return sa.select(member.c.root_id).where(member.c.uuid == uuid).scalar_subquery()


def with_traits(column: sa.ColumnElement[int], trait_ids: Collection[int], *, by: str = "provider_id") -> Clause:
    """``column`` is a provider (or, ``by="root_id"``, a root) with at least one of the traits."""
    table = t.provider_traits
    return column.in_(sa.select(table.c[by]).where(table.c.trait_id.in_(sorted(trait_ids))))


def in_aggregates(column: sa.ColumnElement[int], uuids: Collection[str], *, by: str = "provider_id") -> Clause:
    """``column`` is a provider (or root) in at least one of the aggregates."""
    table = t.provider_aggregates
    members = sa.select(table.c[by]).join(t.aggregates, t.aggregates.c.id == table.c.aggregate_id)
    return column.in_(members.where(t.aggregates.c.uuid.in_(sorted(uuids))))


def without_traits(column: sa.ColumnElement[int], trait_ids: Collection[int]) -> Clause:
    """``column`` is a provider with none of the traits (asked row by row: they may be on half the cloud)."""
    table = t.provider_traits
    return ~sa.exists().where(table.c.provider_id == column, table.c.trait_id.in_(sorted(trait_ids)))


def outside_aggregates(column: sa.ColumnElement[int], uuids: Collection[str]) -> Clause:
    """``column`` is a provider in none of the aggregates."""
    table = t.provider_aggregates
    named = sa.select(t.aggregates.c.id).where(t.aggregates.c.uuid.in_(sorted(uuids)))
    return ~sa.exists().where(table.c.provider_id == column, table.c.aggregate_id.in_(named))


def condition_clauses(column: sa.ColumnElement[int], condition: Condition, traits: Mapping[str, int]) -> list[Clause]:
    """Traits and aggregates of the very provider ``column``."""
    found = [with_traits(column, [traits[n] for n in names]) for names in condition.required]
    if condition.forbidden:
        found.append(without_traits(column, [traits[n] for n in condition.forbidden]))
    found.extend(in_aggregates(column, uuids) for uuids in condition.member_of)
    if condition.not_member_of:
        found.append(outside_aggregates(column, condition.not_member_of))
    return found


def provider_conditions(wanted: ProviderFilter, classes: Mapping[str, int], traits: Mapping[str, int]) -> list[Clause]:
    """What ``GET /resource_providers`` filters by; ids of all names are given."""
    found = condition_clauses(P.id, wanted.condition, traits)
    if wanted.name is not None:
        found.append(P.name == wanted.name)
    if wanted.uuid is not None:
        found.append(P.uuid == wanted.uuid)
    if wanted.condition.in_tree is not None:
        found.append(P.root_id == in_tree_of(wanted.condition.in_tree))
    for name, amount in wanted.resources.items():
        stock = t.inventories.alias()
        found.append(sa.exists().where(stock.c.provider_id == P.id, *offers(stock, classes[name], amount)))
    return found
