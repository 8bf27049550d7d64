"""Providers that searches loaded before, kept for the next search: most of a cloud does not change between two.

A provider's *stamp* is its id, its generation and its place in its tree. Whatever changes in a provider (inventory,
use, traits) moves its generation on in the same transaction, so a stamp read from the database says whether what is
kept is still true. Aggregates are not kept: before API 1.19 they change without the generation.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kilonova.kit import codec
from kilonova.placement.domain.inventory import Stock
from kilonova.placement.domain.topology import Provider, Tree
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

    uuid: str
    trait_list: str
    """JSON text."""
    provider: Provider
    """Without aggregates."""
    alone: Tree | None
    """A root's tree, should there be nothing below it."""
    summary: str | None = None
    """What the API made of it for replies."""


def joined(*columns: sa.ColumnElement[Any]) -> sa.ColumnElement[str]:
    """Whole numbers (or none) as one text, spaces between: a driver parses one long text faster than many rows."""
    first, *others = (sa.func.coalesce(sa.cast(column, sa.String(24)), "") for column in columns)
    text: sa.ColumnElement[str] = first
    for other in others:
        text = text + sa.literal_column("' '", sa.String) + other
    return text


def stamp(providers: sa.FromClause) -> sa.ColumnElement[str]:
    """What changes with every change."""
    c = providers.c
    return joined(c.id, c.generation, c.root_id, c.parent_id)


def id_of(stamp_text: str) -> int:
    """The provider's id in a stamp."""
    return int(stamp_text[: stamp_text.index(" ")])


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
_LOAD = sa.select(stamp(t.providers), P.id, P.uuid, P.root_id, P.parent_id, P.trait_list, _STOCKS).where(
    P.id.in_(sa.bindparam("ids", type_=sa.Integer, expanding=True, literal_execute=True))
)


class Shelf:
    """Cards by stamp. Thread safe: a card is never changed, only replaced."""

    def __init__(self, classes: NameBook, ids: dict[str, int]) -> None:
        """``ids`` learns the ids of providers by their uuids."""
        self._classes = classes
        self._ids = ids
        self._cards: dict[str, Card] = {}
        self._stamps: dict[int, str] = {}
        """By provider id: those of ``_cards``, so that an old card leaves when a new one comes."""
        self._traits: dict[str, frozenset[str]] = {}
        self._since = time.monotonic()

    def get(self, connection: Connection, stamps: Sequence[str]) -> list[Card]:
        """Cards of providers whose stamps were just read, in that order; one that is gone meanwhile is left out."""
        if time.monotonic() - self._since > _SECONDS or len(self._cards) > _MOST:
            self._cards, self._stamps, self._traits, self._since = {}, {}, {}, time.monotonic()
        found = [self._cards.get(one) for one in stamps]
        if None not in found:
            return cast("list[Card]", found)
        missing = [one for one, card in zip(stamps, found, strict=True) if card is None]
        fresh = self._load(connection, [id_of(one) for one in missing])
        both = (fresh.get(id_of(one)) if card is None else card for one, card in zip(stamps, found, strict=True))
        return [card for card in both if card is not None]

    def _load(self, connection: Connection, ids: Sequence[int]) -> dict[int, Card]:
        loaded: dict[int, Card] = {}
        for start in range(0, len(ids), _IDS_A_STATEMENT):
            rows = connection.execute(_LOAD, {"ids": ids[start : start + _IDS_A_STATEMENT]}).all()
            stocks = [_numbers(row[6]) for row in rows]
            names = self._classes.names(connection, {numbers[0] for found in stocks for numbers in found})
            for row, found in zip(rows, stocks, strict=True):
                card = self._card(row, {names[class_id]: Stock(*numbers) for class_id, *numbers in found})
                self._cards.pop(self._stamps.get(card.provider.id, ""), None)
                self._cards[row[0]] = card
                self._stamps[card.provider.id] = row[0]
                self._ids[card.uuid] = card.provider.id
                loaded[card.provider.id] = card
        return loaded

    def _card(self, row: Any, stocks: dict[str, Stock]) -> Card:
        _, provider_id, uuid, root_id, parent_id, trait_list, _ = row
        traits = self._trait_set(trait_list)
        provider = Provider(id=provider_id, parent_id=parent_id, root_id=root_id, stocks=stocks, traits=traits)
        return Card(uuid, trait_list, provider, Tree(provider, (provider,)) if provider_id == root_id else None)

    def _trait_set(self, text: str) -> frozenset[str]:
        """Hosts of one kind have the same."""
        found = self._traits.get(text)
        if found is None:
            found = self._traits[text] = frozenset(codec.loads(text))
        return found


def _numbers(text: str | None) -> list[list[int]]:
    return [[int(word) for word in part.split()] for part in text.split(",")] if text else []
