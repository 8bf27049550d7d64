"""Tokens of remote consoles, kept as hashes until they expire."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kilonova.kit.db.rows import Row, row
from kilonova.store.cell_tables import console_tokens

_C = console_tokens.c


def add(connection: Connection, values: Mapping[str, Any], now: str) -> None:
    """Remember a token, forgetting those that have expired."""
    connection.execute(console_tokens.delete().where(_C.expires_at < now))
    connection.execute(console_tokens.insert().values(**values))


def find(connection: Connection, token_hash: str, now: str) -> Row | None:
    """The token's record while it is valid."""
    return row(connection, sa.select(console_tokens).where(_C.token_hash == token_hash, _C.expires_at >= now))


def forget(connection: Connection, server_uuid: str) -> None:
    """No more consoles of a server that is gone."""
    connection.execute(console_tokens.delete().where(_C.server_uuid == server_uuid))
