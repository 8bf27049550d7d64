"""What was told of servers' and volumes' usage."""

import sqlalchemy as sa
from alembic import op

from kilonova.kit.db import types

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "task_log",
        sa.Column("host", types.Name, nullable=False),
        sa.Column("period_beginning", types.Stamp, nullable=False),
        sa.Column("period_ending", types.Stamp, nullable=False),
        sa.Column("state", types.word(10), nullable=False),
        sa.Column("instances", sa.Integer(), nullable=False),
        sa.Column("errors", sa.Integer(), nullable=False),
        sa.Column("message", types.LongText, nullable=False),
        sa.Column("updated_at", types.Stamp, nullable=False),
        sa.PrimaryKeyConstraint("host", "period_beginning", "period_ending"),
    )
    op.create_table(
        "volume_usage",
        sa.Column("server_uuid", types.Uuid, nullable=False),
        sa.Column("volume_id", types.Uuid, nullable=False),
        sa.Column("before", types.JsonText, nullable=False),
        sa.Column("now", types.JsonText, nullable=False),
        sa.Column("updated_at", types.Stamp, nullable=False),
        sa.PrimaryKeyConstraint("server_uuid", "volume_id"),
    )
