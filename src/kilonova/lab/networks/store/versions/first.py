"""The first schema: documents, addresses, MAC addresses."""

import sqlalchemy as sa
from alembic import op

revision = "lab_networks_1"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "documents",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("project_id", sa.String(64)),
        sa.Column("parent_id", sa.String(64)),
        sa.Column("device_id", sa.String(255)),
        sa.Column("body", sa.Text, nullable=False),
        sa.UniqueConstraint("kind", "id"),
    )
    op.create_index("documents_project", "documents", ["kind", "project_id"])
    op.create_index("documents_parent", "documents", ["kind", "parent_id"])
    op.create_index("documents_device", "documents", ["kind", "device_id"])
    for name, owner, unique, length in (("addresses", "subnet_id", "address", 45), ("macs", "network_id", "mac", 17)):
        op.create_table(
            name,
            sa.Column(owner, sa.String(36), primary_key=True),
            sa.Column(unique, sa.String(length), primary_key=True),
            sa.Column("port_id", sa.String(36), nullable=False, index=True),
        )
