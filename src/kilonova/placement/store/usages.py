"""How much is used: of one provider (from its inventories), or by a project (summed over its consumers)."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from kilonova.kit.db.engine import Database
from kilonova.placement.store import tables as t
from kilonova.placement.store.names import NameBook

C = t.consumers.c
A = t.allocations.c


@dataclass(frozen=True, slots=True)
class Usage:
    """Amount of one class that consumers of one type use; ``consumers`` counts all consumers of the type."""

    consumer_type: str | None
    name: str
    used: int
    consumers: int


class Usages:
    """Totals of projects."""

    def __init__(self, database: Database, classes: NameBook) -> None:
        self._database = database
        self._classes = classes

    def of_project(
        self, project_id: str, user_id: str | None, consumer_type: str | None, *, every: bool
    ) -> Sequence[Usage]:
        """Of consumers of one type (None: of those without one), or of ``every`` type."""
        where = [C.project_id == project_id]
        if user_id is not None:
            where.append(C.user_id == user_id)
        if not every:
            where.append(C.consumer_type.is_(None) if consumer_type is None else C.consumer_type == consumer_type)
        totals = (
            sa.select(C.consumer_type, A.class_id, sa.func.sum(A.used))
            .join(t.allocations, A.consumer_id == C.id)
            .where(*where)
            .group_by(C.consumer_type, A.class_id)
        )
        counts = sa.select(C.consumer_type, sa.func.count()).where(*where).group_by(C.consumer_type)
        with self._database.read() as connection:
            rows = connection.execute(totals).all()
            number = {row[0]: row[1] for row in connection.execute(counts)}
            names = self._classes.names(connection, {row[1] for row in rows})
        return [Usage(kind, names[class_id], int(used), number.get(kind, 0)) for kind, class_id, used in rows]
