"""Passwords that guests store."""

import sqlalchemy as sa
from alembic import op

from kilonova.kit.db import types

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "server_passwords",
        sa.Column("server_uuid", types.Uuid, nullable=False),
        sa.Column("password", types.LongText, nullable=False),
        sa.PrimaryKeyConstraint("server_uuid"),
    )
