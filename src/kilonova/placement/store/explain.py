"""Why a demand has no candidates: how many providers each constraint leaves, and which one, relaxed, would help."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kilonova.kit.clock import Clock
from kilonova.kit.db.engine import Database
from kilonova.placement.domain.demand import Demand
from kilonova.placement.domain.relaxation import Constraint, constraints
from kilonova.placement.store import tables as t
from kilonova.placement.store.candidates import CandidateSearch
from kilonova.placement.store.filters import provider_conditions
from kilonova.placement.store.names import NameBook

P = t.providers.c
SECONDS = 2.0
"""After so long no further constraint is tried; the search under way is finished."""
MOST = 64
"""Constraints that are counted and tried."""


@dataclass(frozen=True, slots=True)
class Finding:
    """About one constraint."""

    constraint: Constraint
    providers: int | None
    """How many meet it, taken alone; None where it is not about one provider."""
    largest: int | None
    """The most of a resource class that one provider could give now; None for other constraints."""
    fits_without: bool | None
    """None: not tried, for lack of time or because the demand has candidates."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """``fits``: the demand has candidates."""

    fits: bool
    findings: Sequence[Finding]


class Explainer:
    """Explains demands."""

    def __init__(
        self, database: Database, classes: NameBook, traits: NameBook, search: CandidateSearch, clock: Clock
    ) -> None:
        self._database = database
        self._classes = classes
        self._traits = traits
        self._search = search
        self._clock = clock

    def explain(self, demand: Demand) -> Explanation:
        """Raises UnknownQueryNames."""
        fits = self._fits(demand)
        parts = list(constraints(demand))[:MOST]
        with self._database.read() as connection:
            numbers = self._numbers(connection, demand, parts)
        end = self._clock.monotonic() + SECONDS
        findings = [
            Finding(
                part, providers, largest, None if fits or self._clock.monotonic() > end else self._fits(part.without)
            )
            for part, (providers, largest) in zip(parts, numbers, strict=True)
        ]
        return Explanation(fits, findings)

    def _fits(self, demand: Demand) -> bool:
        return bool(self._search.find(replace(demand, limit=1)).candidates)

    def _numbers(
        self, connection: Connection, demand: Demand, parts: Sequence[Constraint]
    ) -> list[tuple[int | None, int | None]]:
        """Of each part: providers that meet it, and the largest claim of its class; one statement for all."""
        classes = self._classes.demand(connection, demand.classes, field="resources")
        traits = self._traits.demand(connection, demand.traits, field="required")
        columns: list[sa.ScalarSelect[int]] = []
        places: list[tuple[int | None, int | None]] = []
        for part in parts:
            if part.wanted is None:
                places.append((None, None))
                continue
            where = provider_conditions(part.wanted, classes, traits)
            if part.of_roots:
                where.append(P.root_id == P.id)
            columns.append(sa.select(sa.func.count()).select_from(t.providers).where(*where).scalar_subquery())
            count = len(columns) - 1
            for name in part.wanted.resources:
                columns.append(_largest(classes[name]))
            places.append((count, len(columns) - 1 if part.wanted.resources else None))
        row = connection.execute(sa.select(*columns)).one()
        return [(None if a is None else row[a], None if b is None else int(row[b] or 0)) for a, b in places]


def _largest(class_id: int) -> sa.ScalarSelect[int]:
    c = t.inventories.c
    free = c.capacity - c.used
    claimable = sa.case((free < c.max_unit, free), else_=c.max_unit)
    return sa.select(sa.func.max(claimable)).where(c.class_id == class_id).scalar_subquery()
