"""Tables of the API database: what is known before, above and beside the cells."""

import sqlalchemy as sa

from kilonova.kit.db.types import BigId, JsonText, LongText, Name, Stamp, Uuid, word

metadata = sa.MetaData()

cells = sa.Table(
    "cells",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("uuid", Uuid, nullable=False, unique=True),
    sa.Column("name", Name),
    sa.Column("transport_url", LongText),
    sa.Column("database_connection", LongText),
    sa.Column("disabled", sa.Boolean, nullable=False, default=False),
    sa.Column("created_at", Stamp),
    sa.Column("updated_at", Stamp),
)

host_mappings = sa.Table(
    "host_mappings",
    metadata,
    sa.Column("host", Name, primary_key=True),
    sa.Column("cell_id", sa.Integer, sa.ForeignKey("cells.id"), nullable=False),
)

server_mappings = sa.Table(
    "server_mappings",
    metadata,
    sa.Column("uuid", Uuid, primary_key=True),
    sa.Column("cell_id", sa.Integer, sa.ForeignKey("cells.id"), nullable=False),
    sa.Column("project_id", Name, nullable=False),
    sa.Column("user_id", Name, nullable=False),
    # What the server counts for, so that usage and mapping change in one transaction.
    sa.Column("cores", sa.Integer, nullable=False),
    sa.Column("ram", sa.Integer, nullable=False),
    # False once the server is gone: deleted servers stay findable and count for nothing.
    sa.Column("counted", sa.Boolean, nullable=False, default=True),
    sa.Column("created_at", Stamp, nullable=False),
    # What is told of the server while its cell does not answer: flavor, image, zone.
    sa.Column("sketch", JsonText),
    # False until a sweep has seen the server's row in its cell: accepting writes to two databases.
    sa.Column("confirmed", sa.Boolean, nullable=False, default=False),
    sa.Index("server_mappings_project", "project_id", "user_id"),
    sa.Index("server_mappings_confirmed", "confirmed", "created_at"),
)

quota_usage = sa.Table(
    "quota_usage",
    metadata,
    sa.Column("project_id", Name, primary_key=True),
    sa.Column("instances", sa.Integer, nullable=False, default=0),
    sa.Column("cores", sa.Integer, nullable=False, default=0),
    sa.Column("ram", sa.Integer, nullable=False, default=0),
)

# Rows that are only locked: who counts what a limit is for, and adds to it, holds one.
quota_locks = sa.Table(
    "quota_locks",
    metadata,
    sa.Column("resource", Name, primary_key=True),
    sa.Column("owner", Name, primary_key=True),
)

quotas = sa.Table(
    "quotas",
    metadata,
    sa.Column("project_id", Name, primary_key=True),
    # Empty: the project's own limit; else the limit of one user in it.
    sa.Column("user_id", Name, primary_key=True, default=""),
    sa.Column("resource", Name, primary_key=True),
    sa.Column("hard_limit", sa.Integer, nullable=False),
)

quota_classes = sa.Table(
    "quota_classes",
    metadata,
    sa.Column("class_name", Name, primary_key=True),
    sa.Column("resource", Name, primary_key=True),
    sa.Column("hard_limit", sa.Integer, nullable=False),
)

flavors = sa.Table(
    "flavors",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("flavor_id", Name, nullable=False, unique=True),
    sa.Column("name", Name, nullable=False, unique=True),
    sa.Column("vcpus", sa.Integer, nullable=False),
    sa.Column("memory_mb", sa.Integer, nullable=False),
    sa.Column("root_gb", sa.Integer, nullable=False),
    sa.Column("ephemeral_gb", sa.Integer, nullable=False),
    sa.Column("swap_mb", sa.Integer, nullable=False),
    sa.Column("rxtx_factor", sa.Double, nullable=False, default=1.0),
    sa.Column("is_public", sa.Boolean, nullable=False, default=True),
    sa.Column("disabled", sa.Boolean, nullable=False, default=False),
    sa.Column("description", LongText),
    sa.Column("extra_specs", JsonText, nullable=False),
    sa.Column("created_at", Stamp),
    sa.Column("updated_at", Stamp),
)

flavor_projects = sa.Table(
    "flavor_projects",
    metadata,
    sa.Column("flavor_id", sa.Integer, sa.ForeignKey("flavors.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("project_id", Name, primary_key=True),
)

keypairs = sa.Table(
    "keypairs",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("user_id", Name, nullable=False),
    sa.Column("name", Name, nullable=False),
    sa.Column("type", word(8), nullable=False),
    sa.Column("fingerprint", Name, nullable=False),
    sa.Column("public_key", LongText, nullable=False),
    sa.Column("created_at", Stamp, nullable=False),
    sa.UniqueConstraint("user_id", "name", name="keypairs_user_name"),
)

aggregates = sa.Table(
    "aggregates",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("uuid", Uuid, nullable=False, unique=True),
    sa.Column("name", Name, nullable=False, unique=True),
    sa.Column("metadata", JsonText, nullable=False),
    sa.Column("created_at", Stamp),
    sa.Column("updated_at", Stamp),
)

aggregate_hosts = sa.Table(
    "aggregate_hosts",
    metadata,
    sa.Column("aggregate_id", sa.Integer, sa.ForeignKey("aggregates.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("host", Name, primary_key=True),
)

server_groups = sa.Table(
    "server_groups",
    metadata,
    sa.Column("id", BigId, primary_key=True),
    sa.Column("uuid", Uuid, nullable=False, unique=True),
    sa.Column("project_id", Name, nullable=False),
    sa.Column("user_id", Name, nullable=False),
    sa.Column("name", Name, nullable=False),
    sa.Column("policy", word(32), nullable=False),
    sa.Column("rules", JsonText, nullable=False),
    sa.Column("created_at", Stamp),
    sa.Index("server_groups_project", "project_id"),
)

server_group_members = sa.Table(
    "server_group_members",
    metadata,
    sa.Column("group_id", BigId, sa.ForeignKey("server_groups.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("server_uuid", Uuid, primary_key=True),
    sa.Index("server_group_members_server", "server_uuid"),
)

idempotency_keys = sa.Table(
    "idempotency_keys",
    metadata,
    sa.Column("id", BigId, primary_key=True, autoincrement=True),
    sa.Column("project_id", Name, nullable=False),
    sa.Column("user_id", Name, nullable=False),
    sa.Column("key", Name, nullable=False),
    # sha256 of the path, the action and the body.
    sa.Column("digest", word(64), nullable=False),
    # Who works on it: what was accepted for this request is found by it in the journal.
    sa.Column("request_id", Name, nullable=False),
    sa.Column("held_until", Stamp, nullable=False),
    # The reply; null while there is none.
    sa.Column("status", sa.Integer),
    sa.Column("headers", JsonText),
    sa.Column("body", LongText),
    sa.Column("created_at", Stamp, nullable=False),
    sa.UniqueConstraint("project_id", "user_id", "key", name="idempotency_keys_key"),
    sa.Index("idempotency_keys_created", "created_at"),
)
