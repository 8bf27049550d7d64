"""Moves of servers between hosts and flavors."""

import sqlalchemy as sa
from alembic import op

from kilonova.kit.db import types

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "migrations",
        sa.Column("id", types.BigId, autoincrement=True, nullable=False),
        sa.Column("uuid", types.Uuid, nullable=False),
        sa.Column("server_uuid", types.Uuid, nullable=False),
        sa.Column("project_id", types.Name, nullable=True),
        sa.Column("user_id", types.Name, nullable=True),
        sa.Column("kind", types.word(20), nullable=False),
        sa.Column("status", types.word(20), nullable=False),
        sa.Column("source_compute", types.Name, nullable=True),
        sa.Column("source_node", types.Name, nullable=True),
        sa.Column("dest_compute", types.Name, nullable=True),
        sa.Column("dest_node", types.Name, nullable=True),
        sa.Column("dest_host", types.Name, nullable=True),
        sa.Column("old_flavor", sa.Integer(), nullable=True),
        sa.Column("new_flavor", sa.Integer(), nullable=True),
        sa.Column("before", types.JsonText, nullable=False),
        sa.Column("cancel", sa.Boolean(), nullable=False),
        sa.Column("force_complete", sa.Boolean(), nullable=False),
        sa.Column("memory_total", sa.BigInteger(), nullable=True),
        sa.Column("memory_processed", sa.BigInteger(), nullable=True),
        sa.Column("memory_remaining", sa.BigInteger(), nullable=True),
        sa.Column("disk_total", sa.BigInteger(), nullable=True),
        sa.Column("disk_processed", sa.BigInteger(), nullable=True),
        sa.Column("disk_remaining", sa.BigInteger(), nullable=True),
        sa.Column("created_at", types.Stamp, nullable=False),
        sa.Column("updated_at", types.Stamp, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("uuid"),
    )
    op.create_index("migrations_server", "migrations", ["server_uuid", "status"], unique=False)
    op.create_index("migrations_source", "migrations", ["source_compute", "status"], unique=False)
    op.create_index("migrations_status", "migrations", ["status", "updated_at"], unique=False)
