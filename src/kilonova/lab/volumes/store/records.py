"""Volumes, snapshots and attachments as documents of one table."""

from collections.abc import Callable
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kilonova.kit import codec
from kilonova.kit.db.engine import Database

Document = dict[str, Any]
T = TypeVar("T")
_METADATA = sa.MetaData()
_TABLE = sa.Table(
    "documents",
    _METADATA,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("id", sa.String(36), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.UniqueConstraint("kind", "id"),
)


class Records:
    """Documents as one transaction sees them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, kind: str, ident: str) -> Document | None:
        """One document, or None."""
        query = sa.select(_TABLE.c.body).where(_TABLE.c.kind == kind, _TABLE.c.id == ident)
        found: Document | None = codec.loads(self._connection.scalar(query))
        return found

    def all(self, kind: str) -> list[Document]:
        """Every document of a kind, oldest first."""
        query = sa.select(_TABLE.c.body).where(_TABLE.c.kind == kind).order_by(_TABLE.c.seq)
        return [codec.loads(body) for body in self._connection.scalars(query)]

    def put(self, kind: str, document: Document) -> Document:
        """Write a document, new or changed."""
        mine = (_TABLE.c.kind == kind, _TABLE.c.id == document["id"])
        body = codec.text(document)
        if not self._connection.execute(_TABLE.update().where(*mine).values(body=body)).rowcount:
            self._connection.execute(_TABLE.insert().values(kind=kind, id=document["id"], body=body))
        return document

    def drop(self, kind: str, ident: str) -> None:
        """Forget a document; none is fine."""
        self._connection.execute(_TABLE.delete().where(_TABLE.c.kind == kind, _TABLE.c.id == ident))


class VolumeStore:
    """The database of the lab's volumes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        _METADATA.create_all(database.engine)

    def transact(self, work: Callable[[Records], T]) -> T:
        """``work`` in one transaction; all or nothing."""
        return self._database.transact(lambda connection: work(Records(connection)))
