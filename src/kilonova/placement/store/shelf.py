"""Providers that searches loaded before, kept for the next search: most of a cloud does not change between two.

A provider's *stamp* is its generation and its place in its tree. Whatever changes in a provider (inventory, use,
traits) moves its generation on in the same transaction, so a stamp read from the database says whether what is kept is
still true. Aggregates are not kept: before API 1.19 they change without the generation.
"""

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kilonova.kit import codec
from kilonova.placement.domain.inventory import Stock
from kilonova.placement.domain.topology import Provider
from kilonova.placement.store import tables as t
from kilonova.placement.store.names import NameBook

P = t.providers.c
INV = t.inventories.c
_MOST = 20_000
"""About two kilobytes each."""
_SECONDS = 300.0
"""Then everything is read anew, whatever the stamps say: somebody may have restored a backup."""
_IDS_A_STATEMENT = 4000


@dataclass(slots=True, eq=False)
class Card:
    """A provider as searches and replies see it."""

    stamp: str
    uuid: str
    trait_list: str
    """JSON text."""
    provider: Provider
    """Without aggregates."""
    summary: Any = None
    """What the API made of it for replies."""


def joined(*columns: sa.ColumnElement[Any]) -> sa.ColumnElement[str]:
    """Whole numbers (or none) as one text, spaces between: a driver parses one long text faster than many rows."""
    first, *others = (sa.func.coalesce(sa.cast(column, sa.String(24)), "") for column in columns)
    text: sa.ColumnElement[str] = first
    for other in others:
        text = text + sa.literal_column("' '", sa.String) + other
    return text


def stamp(providers: sa.FromClause) -> sa.ColumnElement[str]:
    """What changes with every change: generation, root, parent."""
    c = providers.c
    return joined(c.generation, c.root_id, c.parent_id)


_STOCKS = (
    sa.select(
        sa.func.aggregate_strings(
            joined(INV.class_id, INV.capacity, INV.used, INV.min_unit, INV.max_unit, INV.step_size), ","
        )
    )
    .where(INV.provider_id == P.id)
    .correlate(t.providers)
    .scalar_subquery()
)
_LOAD = sa.select(P.id, stamp(t.providers), P.uuid, P.root_id, P.parent_id, P.trait_list, _STOCKS).where(
    P.id.in_(sa.bindparam("ids", type_=sa.Integer, expanding=True, literal_execute=True))
)


class Shelf:
    """Cards by provider id. Thread safe: a card is never changed, only replaced."""

    def __init__(self, classes: NameBook) -> None:
        self._classes = classes
        self._cards: dict[int, Card] = {}
        self._traits: dict[str, frozenset[str]] = {}
        self._since = time.monotonic()

    def get(self, connection: Connection, stamps: Mapping[int, str]) -> dict[int, Card]:
        """Cards of providers whose stamps were just read; one that is gone meanwhile is left out."""
        if time.monotonic() - self._since > _SECONDS or len(self._cards) > _MOST:
            self._cards, self._traits, self._since = {}, {}, time.monotonic()
        kept = self._cards
        found: dict[int, Card] = {}
        missing: list[int] = []
        for provider_id, wanted in stamps.items():
            card = kept.get(provider_id)
            if card is not None and card.stamp == wanted:
                found[provider_id] = card
            else:
                missing.append(provider_id)
        if missing:
            fresh = dict(self._load(connection, missing))
            kept.update(fresh)
            found.update(fresh)
        return found

    def _load(self, connection: Connection, ids: Collection[int]) -> Iterable[tuple[int, Card]]:
        wanted = sorted(ids)
        for start in range(0, len(wanted), _IDS_A_STATEMENT):
            rows = connection.execute(_LOAD, {"ids": wanted[start : start + _IDS_A_STATEMENT]}).all()
            stocks = [_numbers(row[6]) for row in rows]
            names = self._classes.names(connection, {numbers[0] for found in stocks for numbers in found})
            for (provider_id, mark, uuid, root_id, parent_id, trait_list, _), found in zip(rows, stocks, strict=True):
                provider = Provider(
                    id=provider_id,
                    parent_id=parent_id,
                    root_id=root_id,
                    stocks={names[class_id]: Stock(*numbers) for class_id, *numbers in found},
                    traits=self._trait_set(trait_list),
                )
                yield provider_id, Card(mark, uuid, trait_list, provider)

    def _trait_set(self, text: str) -> frozenset[str]:
        """Hosts of one kind have the same."""
        found = self._traits.get(text)
        if found is None:
            found = self._traits[text] = frozenset(codec.loads(text))
        return found


def _numbers(text: str | None) -> list[list[int]]:
    return [[int(word) for word in part.split()] for part in text.split(",")] if text else []
