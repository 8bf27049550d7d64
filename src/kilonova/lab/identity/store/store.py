"""The identity store: one object with a place for every noun."""

from datetime import datetime

import sqlalchemy as sa

from kilonova.kit.db.engine import Database
from kilonova.lab.identity.store import tables
from kilonova.lab.identity.store.grants import Grants
from kilonova.lab.identity.store.rows import Row, Rows


class TokenRows:
    """Issued tokens by the digest of their id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, values: Row, *, forget_before: datetime) -> None:
        """Keep a token, and forget those that expired long ago."""
        with self._database.write() as connection:
            connection.execute(tables.TOKENS.delete().where(tables.TOKENS.c.expires_at < forget_before))
            connection.execute(tables.TOKENS.insert().values(**values))

    def get(self, digest: str) -> Row | None:
        """The token, expired or not."""
        with self._database.read() as connection:
            found = connection.execute(sa.select(tables.TOKENS).where(tables.TOKENS.c.id == digest)).mappings().first()
            return dict(found) if found else None

    def remove(self, digest: str) -> None:
        """Revoke one token."""
        with self._database.write() as connection:
            connection.execute(tables.TOKENS.delete().where(tables.TOKENS.c.id == digest))

    def remove_of_user(self, user_id: str) -> None:
        """Revoke all tokens of a user."""
        with self._database.write() as connection:
            connection.execute(tables.TOKENS.delete().where(tables.TOKENS.c.user_id == user_id))


class IdentityStore:
    """Opens (and if empty, makes) the identity service's database. Raises WrongSchema."""

    def __init__(self, database: Database) -> None:
        tables.prepare(database)
        self.domains = Rows(database, tables.DOMAINS, "domain")
        self.projects = Rows(database, tables.PROJECTS, "project")
        self.users = Rows(database, tables.USERS, "user")
        self.groups = Rows(database, tables.GROUPS, "group")
        self.roles = Rows(database, tables.ROLES, "role")
        self.regions = Rows(database, tables.REGIONS, "region")
        self.services = Rows(database, tables.SERVICES, "service")
        self.endpoints = Rows(database, tables.ENDPOINTS, "endpoint")
        self.application_credentials = Rows(database, tables.APPLICATION_CREDENTIALS, "Application Credential")
        self.grants = Grants(database)
        self.tokens = TokenRows(database)
