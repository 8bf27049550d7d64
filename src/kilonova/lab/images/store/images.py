"""The image records: rows, tags and members."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from kilonova.kit.db.engine import Database
from kilonova.kit.errors import Conflict, NotFound
from kilonova.lab.images.store.tables import IMAGES, MEMBERS, TAGS, prepare

Row = dict[str, Any]
Operator = Literal["eq", "neq", "gt", "gte", "lt", "lte", "in"]
COLUMNS = frozenset(column.name for column in IMAGES.columns) - {"properties"}


class ImageNotFound(NotFound):
    """No such image, or not for this caller."""

    template = "Failed to find image {image_id}"


class DuplicateImage(Conflict):
    """The id a client chose is taken."""

    template = "Image ID {image_id} already exists!"


@dataclass(frozen=True)
class Condition:
    """``column operator value``; a name that is no column is a property."""

    name: str
    value: Any
    operator: Operator = "eq"


@dataclass(frozen=True, kw_only=True)
class Search:
    """What a list shall contain."""

    conditions: tuple[Condition, ...] = ()
    tags: tuple[str, ...] = ()
    viewer: str | None = None
    """The project whose images, and those shared with it, are meant."""
    everyones: bool = False
    """Images of all projects, whoever looks."""
    visibility: str | None = None
    """One visibility, ``all``, or None: everything but other projects' community images."""
    member_status: str = "accepted"
    sort: tuple[tuple[str, str], ...] = (("created_at", "desc"), ("id", "desc"))
    limit: int = 25
    marker: Row | None = field(default=None)


class ImageStore:
    """Opens (and if empty, makes) the image service's database. Raises WrongSchema."""

    def __init__(self, database: Database) -> None:
        prepare(database)
        self._database = database

    def add(self, row: Row, tags: Iterable[str]) -> None:
        """A new image. Raises DuplicateImage."""
        try:
            with self._database.write() as connection:
                connection.execute(IMAGES.insert().values(**row))
                _put_tags(connection, row["id"], tags)
        except IntegrityError as error:
            raise DuplicateImage(image_id=row["id"]) from error

    def get(self, image_id: str) -> Row:
        """An image with its ``tags``. Raises ImageNotFound."""
        found = self._with_tags(sa.select(IMAGES).where(IMAGES.c.id == image_id))
        if not found:
            raise ImageNotFound(image_id=image_id)
        return found[0]

    def search(self, search: Search) -> list[Row]:
        """A page of images, in two statements."""
        query = sa.select(IMAGES).where(*_seen(search), *(_condition(c) for c in search.conditions))
        for tag in search.tags:
            query = query.where(IMAGES.c.id.in_(sa.select(TAGS.c.image_id).where(TAGS.c.tag == tag)))
        if search.marker is not None:
            query = query.where(_after(search.sort, search.marker))
        order = [IMAGES.c[name].asc() if way == "asc" else IMAGES.c[name].desc() for name, way in search.sort]
        return self._with_tags(query.order_by(*order).limit(search.limit))

    def _with_tags(self, query: sa.Select[Any]) -> list[Row]:
        with self._database.read() as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()]
            wanted = sa.select(TAGS).where(TAGS.c.image_id.in_([row["id"] for row in rows])).order_by(TAGS.c.tag)
            tags: dict[str, list[str]] = defaultdict(list)
            for image_id, tag in connection.execute(wanted) if rows else ():
                tags[image_id].append(tag)
        return [{**row, "tags": tags[row["id"]]} for row in rows]

    def change(self, image_id: str, values: Mapping[str, Any], tags: Iterable[str] | None = None) -> None:
        """Write columns, and all tags when given. Raises ImageNotFound."""
        with self._database.write() as connection:
            done = connection.execute(IMAGES.update().where(IMAGES.c.id == image_id).values(**values))
            if not done.rowcount:
                raise ImageNotFound(image_id=image_id)
            if tags is not None:
                connection.execute(TAGS.delete().where(TAGS.c.image_id == image_id))
                _put_tags(connection, image_id, tags)

    def move(self, image_id: str, before: str, values: Mapping[str, Any]) -> bool:
        """Write columns only if the status is still ``before``; False when somebody else was first."""
        chosen = (IMAGES.c.id == image_id) & (IMAGES.c.status == before)
        with self._database.write() as connection:
            return bool(connection.execute(IMAGES.update().where(chosen).values(**values)).rowcount)

    def requeue(self) -> int:
        """Images whose upload died with an earlier process wait for data again. How many there were."""
        with self._database.write() as connection:
            stuck = IMAGES.update().where(IMAGES.c.status == "saving").values(status="queued")
            return int(connection.execute(stuck).rowcount)

    def remove(self, image_id: str) -> None:
        """Forget an image with its tags and members. Raises ImageNotFound."""
        with self._database.write() as connection:
            if not connection.execute(IMAGES.delete().where(IMAGES.c.id == image_id)).rowcount:
                raise ImageNotFound(image_id=image_id)

    def members(self, image_id: str) -> list[Row]:
        """With whom an image is shared."""
        query = sa.select(MEMBERS).where(MEMBERS.c.image_id == image_id).order_by(MEMBERS.c.member_id)
        with self._database.read() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def add_member(self, image_id: str, member_id: str, now: datetime) -> bool:
        """Share; False when it is shared with them already."""
        row = {"image_id": image_id, "member_id": member_id, "status": "pending", "created_at": now, "updated_at": now}
        try:
            with self._database.write() as connection:
                connection.execute(MEMBERS.insert().values(**row))
        except IntegrityError:
            return False
        return True

    def set_member(self, image_id: str, member_id: str, status: str, now: datetime) -> bool:
        """A member's answer; False when the image is not shared with them."""
        chosen = (MEMBERS.c.image_id == image_id) & (MEMBERS.c.member_id == member_id)
        with self._database.write() as connection:
            change = MEMBERS.update().where(chosen).values(status=status, updated_at=now)
            return bool(connection.execute(change).rowcount)

    def remove_member(self, image_id: str, member_id: str) -> bool:
        """Share no longer; False when it was not shared."""
        chosen = (MEMBERS.c.image_id == image_id) & (MEMBERS.c.member_id == member_id)
        with self._database.write() as connection:
            return bool(connection.execute(MEMBERS.delete().where(chosen)).rowcount)


def _put_tags(connection: Connection, image_id: str, tags: Iterable[str]) -> None:
    rows = [{"image_id": image_id, "tag": tag} for tag in dict.fromkeys(tags)]
    if rows:
        connection.execute(TAGS.insert(), rows)


def _seen(search: Search) -> list[sa.ColumnElement[bool]]:
    """Which images the viewer may see and asked for."""
    mine = IMAGES.c.owner == search.viewer if search.viewer else sa.false()
    joined = sa.select(MEMBERS.c.image_id).where(MEMBERS.c.member_id == search.viewer)
    if search.member_status != "all":
        joined = joined.where(MEMBERS.c.status == search.member_status)
    given = (IMAGES.c.visibility == "shared") & IMAGES.c.id.in_(joined)
    visible = sa.true() if search.everyones else mine | IMAGES.c.visibility.in_(("public", "community")) | given
    if search.visibility == "all":
        return [visible]
    if search.visibility is not None:
        return [visible, IMAGES.c.visibility == search.visibility]
    return [visible, (IMAGES.c.visibility != "community") | mine]


def _condition(condition: Condition) -> sa.ColumnElement[bool]:
    name = condition.name
    column: Any = IMAGES.c[name] if name in COLUMNS else IMAGES.c.properties[name].as_string()
    answers: dict[Operator, Any] = {
        "eq": lambda: column == condition.value,
        "neq": lambda: column != condition.value,
        "gt": lambda: column > condition.value,
        "gte": lambda: column >= condition.value,
        "lt": lambda: column < condition.value,
        "lte": lambda: column <= condition.value,
        "in": lambda: column.in_(condition.value),
    }
    found: sa.ColumnElement[bool] = answers[condition.operator]()
    return found


def _after(sort: tuple[tuple[str, str], ...], marker: Row) -> sa.ColumnElement[bool]:
    """Rows behind the marker in the order of ``sort``, whose last key is unique.

    SQLite puts NULL before everything, so a missing value is smaller than any other here too.
    """
    ways: list[sa.ColumnElement[bool]] = []
    equal: list[sa.ColumnElement[bool]] = []
    for name, way in sort:
        column, value = IMAGES.c[name], marker[name]
        ways.append(sa.and_(*equal, _beyond(column, value, way)))
        equal.append(column.is_(None) if value is None else column == value)
    return sa.or_(*ways)


def _beyond(column: sa.Column[Any], value: Any, way: str) -> sa.ColumnElement[bool]:
    if way == "asc":
        return column.is_not(None) if value is None else column > value
    return sa.false() if value is None else (column < value) | column.is_(None)
