"""Tables. A resource is one JSON document with the few columns that are asked for in bulk."""

import sqlalchemy as sa

METADATA = sa.MetaData()

DOCUMENTS = sa.Table(
    "documents",
    METADATA,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("id", sa.String(64), nullable=False),
    sa.Column("project_id", sa.String(64)),
    sa.Column("parent_id", sa.String(64)),
    sa.Column("device_id", sa.String(255)),
    sa.Column("body", sa.Text, nullable=False),
    sa.UniqueConstraint("kind", "id"),
    sa.Index("documents_project", "kind", "project_id"),
    sa.Index("documents_parent", "kind", "parent_id"),
    sa.Index("documents_device", "kind", "device_id"),
)

# What must be unique is a key here, so that no race can hand out an address twice, whatever the database.
ADDRESSES = sa.Table(
    "addresses",
    METADATA,
    sa.Column("subnet_id", sa.String(36), primary_key=True),
    sa.Column("address", sa.String(45), primary_key=True),
    sa.Column("port_id", sa.String(36), nullable=False, index=True),
)
MACS = sa.Table(
    "macs",
    METADATA,
    sa.Column("network_id", sa.String(36), primary_key=True),
    sa.Column("mac", sa.String(17), primary_key=True),
    sa.Column("port_id", sa.String(36), nullable=False, index=True),
)
