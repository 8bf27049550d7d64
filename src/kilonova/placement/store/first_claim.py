"""What a new consumer's claim writes, as one script: the consumer, generations, use, allocations, in locking order."""

import functools

import sqlalchemy as sa

from kilonova.kit.db.script import NEW_ID, Line, Script
from kilonova.placement.store import tables as t

INV = t.inventories.c
P = t.providers.c
_NOW = sa.bindparam("now", type_=sa.DateTime)
_ONE = sa.literal_column("1", sa.Integer)
_CONSUMER = sa.insert(t.consumers).values(
    uuid=sa.bindparam("uuid"),
    generation=_ONE,
    project_id=sa.bindparam("project"),
    user_id=sa.bindparam("user"),
    consumer_type=sa.bindparam("kind"),
    updated_at=_NOW,
)


@functools.lru_cache(maxsize=256)
def first_claim(shape: tuple[int, ...]) -> Script:
    """For a claim on ``len(shape)`` providers, so many classes of each; all of it fits, or nothing is done.

    Parameters: ``uuid``, ``project``, ``user``, ``kind`` and ``now`` of the consumer; ``p0`` … ids of the providers, in
    order; ``c0_0``, ``n0_0`` … class ids and amounts of the first of them.
    """
    slots = [(i, j) for i, count in enumerate(shape) for j in range(count)]
    moved_on = sa.update(t.providers).values(generation=P.generation + _ONE, updated_at=_NOW)
    rows = [
        {"consumer_id": NEW_ID, "provider_id": _provider(i), "class_id": _class(i, j), "used": _amount(i, j)}
        for i, j in slots
    ]
    return Script(
        Line(_CONSUMER),
        Line(moved_on.where(P.id.in_([_provider(i) for i in range(len(shape))]))),
        Line(_taken(shape), len(slots)),
        Line(sa.insert(t.allocations).values([{**row, "updated_at": _NOW} for row in rows])),
    )


def _provider(i: int) -> sa.BindParameter[int]:
    return sa.bindparam(f"p{i}", type_=sa.Integer)


def _class(i: int, j: int) -> sa.BindParameter[int]:
    return sa.bindparam(f"c{i}_{j}", type_=sa.Integer)


def _amount(i: int, j: int) -> sa.BindParameter[int]:
    return sa.bindparam(f"n{i}_{j}", type_=sa.BigInteger)


def _taken(shape: tuple[int, ...]) -> sa.Update:
    """Use of each inventory, by what one consumer may take of it."""
    fits, change = [], []
    for i, count in enumerate(shape):
        amount = sa.case(*((INV.class_id == _class(i, j), _amount(i, j)) for j in range(count)))
        fits.append(
            sa.and_(
                INV.provider_id == _provider(i),
                INV.class_id.in_([_class(i, j) for j in range(count)]),
                INV.claimable >= amount,
                INV.min_unit <= amount,
                amount % INV.step_size == sa.literal_column("0"),
            )
        )
        change.append((INV.provider_id == _provider(i), amount))
    more = change[0][1] if len(shape) == 1 else sa.case(*change)
    return sa.update(t.inventories).where(sa.or_(*fits)).values(used=INV.used + more)
