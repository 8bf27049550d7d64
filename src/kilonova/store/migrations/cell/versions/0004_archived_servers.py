"""Deleted servers that are archived."""

import sqlalchemy as sa
from alembic import op

from kilonova.kit.db import types

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "archived_servers",
        sa.Column("id", types.BigId, autoincrement=True, nullable=False),
        sa.Column("server_uuid", types.Uuid, nullable=False),
        sa.Column("deleted_at", types.Stamp, nullable=False),
        sa.Column("archived_at", types.Stamp, nullable=False),
        sa.Column("rows", types.JsonText, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("server_uuid"),
    )
    op.create_index("archived_servers_deleted", "archived_servers", ["deleted_at"])
