"""Who has which role on what: assignments, group membership and what roles imply."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from kilonova.kit.db.engine import Database
from kilonova.kit.errors import NotFound
from kilonova.lab.identity.store.rows import Row
from kilonova.lab.identity.store.tables import ASSIGNMENTS, GROUP_MEMBERS, IMPLICATIONS


class AssignmentNotFound(NotFound):
    """The actor does not have the role there."""

    template = "Could not find role assignment with role: {role_id}, user or group: {actor}, on: {target}."


@dataclass(frozen=True)
class Target:
    """What a role is held on: a project, a domain, or (neither) the system."""

    project_id: str | None = None
    domain_id: str | None = None

    @property
    def key(self) -> str:
        """A word for the target, unique among all targets."""
        if self.project_id:
            return f"project {self.project_id}"
        return f"domain {self.domain_id}" if self.domain_id else "system"


@dataclass(frozen=True)
class Actor:
    """A user or a group."""

    user_id: str | None = None
    group_id: str | None = None

    @property
    def key(self) -> str:
        """A word for the actor, unique among all actors."""
        return f"user {self.user_id}" if self.user_id else f"group {self.group_id}"


class Grants:
    """The assignments of an identity store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def give(self, actor: Actor, target: Target, role_id: str) -> None:
        """Assign; giving again changes nothing."""
        row = {
            "key": _key(actor, target, role_id),
            "user_id": actor.user_id,
            "group_id": actor.group_id,
            "project_id": target.project_id,
            "domain_id": target.domain_id,
            "role_id": role_id,
        }
        self._once(ASSIGNMENTS, row)

    def take(self, actor: Actor, target: Target, role_id: str) -> None:
        """Unassign. Raises AssignmentNotFound."""
        key = _key(actor, target, role_id)
        with self._database.write() as connection:
            done = connection.execute(ASSIGNMENTS.delete().where(ASSIGNMENTS.c.key == key))
        if not done.rowcount:
            raise AssignmentNotFound(role_id=role_id, actor=actor.key, target=target.key)

    def demand(self, actor: Actor, target: Target, role_id: str) -> None:
        """Raises AssignmentNotFound."""
        if role_id not in self.direct(actor, target):
            raise AssignmentNotFound(role_id=role_id, actor=actor.key, target=target.key)

    def direct(self, actor: Actor, target: Target) -> set[str]:
        """Ids of the roles assigned to exactly this actor there."""
        query = sa.select(ASSIGNMENTS.c.role_id).where(
            ASSIGNMENTS.c.user_id == actor.user_id, ASSIGNMENTS.c.group_id == actor.group_id, *_on(target)
        )
        with self._database.read() as connection:
            return set(connection.execute(query).scalars())

    def effective(self, user_id: str, target: Target) -> set[str]:
        """Ids of all roles a user has there: own ones, those of groups, and what these imply."""
        query = sa.select(ASSIGNMENTS.c.role_id).where(_held_by(user_id), *_on(target))
        with self._database.read() as connection:
            found = set(connection.execute(query).scalars())
        return self.with_implied(found)

    def targets(self, user_id: str) -> list[Target]:
        """Everything a user has some role on."""
        query = sa.select(ASSIGNMENTS.c.project_id, ASSIGNMENTS.c.domain_id).where(_held_by(user_id)).distinct()
        with self._database.read() as connection:
            return [Target(row.project_id, row.domain_id) for row in connection.execute(query)]

    def all(self) -> list[Row]:
        """Every assignment."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(ASSIGNMENTS).order_by(ASSIGNMENTS.c.key)).mappings()
            return [dict(row) for row in rows]

    def implications(self) -> list[tuple[str, str]]:
        """Pairs (role, role it implies)."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(IMPLICATIONS).order_by(IMPLICATIONS.c.prior_id))
            return [(row.prior_id, row.implied_id) for row in rows]

    def imply(self, prior_id: str, implied_id: str) -> None:
        """Let one role bring another; again changes nothing."""
        self._once(IMPLICATIONS, {"prior_id": prior_id, "implied_id": implied_id})

    def _once(self, table: sa.Table, row: Row) -> None:
        """Insert unless it is there; a writer has the database to itself."""
        known = sa.select(table).where(*(table.c[name] == value for name, value in row.items()))
        with self._database.write() as connection:
            if connection.execute(known).first() is None:
                connection.execute(table.insert().values(**row))

    def unimply(self, prior_id: str, implied_id: str) -> bool:
        """Undo ``imply``; False when there was nothing to undo."""
        chosen = (IMPLICATIONS.c.prior_id == prior_id) & (IMPLICATIONS.c.implied_id == implied_id)
        with self._database.write() as connection:
            return bool(connection.execute(IMPLICATIONS.delete().where(chosen)).rowcount)

    def with_implied(self, role_ids: Iterable[str]) -> set[str]:
        """The roles and everything they imply, however far."""
        found = set(role_ids)
        if not found:
            return found
        pairs = self.implications()
        grown = True
        while grown:
            more = {implied for prior, implied in pairs if prior in found} - found
            found |= more
            grown = bool(more)
        return found

    def join(self, group_id: str, user_id: str) -> None:
        """Put a user into a group; again changes nothing."""
        self._once(GROUP_MEMBERS, {"group_id": group_id, "user_id": user_id})

    def leave(self, group_id: str, user_id: str) -> bool:
        """Take a user out of a group; False when not in it."""
        chosen = (GROUP_MEMBERS.c.group_id == group_id) & (GROUP_MEMBERS.c.user_id == user_id)
        with self._database.write() as connection:
            return bool(connection.execute(GROUP_MEMBERS.delete().where(chosen)).rowcount)

    def members(self, group_id: str) -> list[str]:
        """Ids of the users in a group."""
        query = sa.select(GROUP_MEMBERS.c.user_id).where(GROUP_MEMBERS.c.group_id == group_id)
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def groups_of(self, user_id: str) -> list[str]:
        """Ids of the groups a user is in."""
        with self._database.read() as connection:
            return list(connection.execute(_groups(user_id)).scalars())


def _key(actor: Actor, target: Target, role_id: str) -> str:
    return f"{actor.key} {target.key} role {role_id}"


def _groups(user_id: str) -> sa.Select[Any]:
    return sa.select(GROUP_MEMBERS.c.group_id).where(GROUP_MEMBERS.c.user_id == user_id)


def _held_by(user_id: str) -> sa.ColumnElement[bool]:
    return (ASSIGNMENTS.c.user_id == user_id) | ASSIGNMENTS.c.group_id.in_(_groups(user_id))


def _on(target: Target) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    # ``== None`` becomes IS NULL in SQLAlchemy, so a system target asks for both being empty.
    return ASSIGNMENTS.c.project_id == target.project_id, ASSIGNMENTS.c.domain_id == target.domain_id
