"""The API database."""

import sqlalchemy as sa
from alembic import op

from kilonova.kit.db import types

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    _aggregates()
    _cells()
    _flavors()
    _idempotency_keys()
    _keypairs()
    _quota_classes()
    _quota_usage()
    _quotas()
    _quota_locks()
    _server_groups()
    _aggregate_hosts()
    _flavor_projects()
    _host_mappings()
    _server_group_members()
    _server_mappings()


def _aggregates() -> None:
    op.create_table(
        "aggregates",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", types.Uuid, nullable=False),
        sa.Column("name", types.Name, nullable=False),
        sa.Column("metadata", types.JsonText, nullable=False),
        sa.Column("created_at", types.Stamp, nullable=True),
        sa.Column("updated_at", types.Stamp, nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        sa.UniqueConstraint("uuid"),
    )


def _cells() -> None:
    op.create_table(
        "cells",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", types.Uuid, nullable=False),
        sa.Column("name", types.Name, nullable=True),
        sa.Column("transport_url", types.JsonText, nullable=True),
        sa.Column("database_connection", types.JsonText, nullable=True),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", types.Stamp, nullable=True),
        sa.Column("updated_at", types.Stamp, nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("uuid"),
    )


def _flavors() -> None:
    op.create_table(
        "flavors",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("flavor_id", types.Name, nullable=False),
        sa.Column("name", types.Name, nullable=False),
        sa.Column("vcpus", sa.Integer(), nullable=False),
        sa.Column("memory_mb", sa.Integer(), nullable=False),
        sa.Column("root_gb", sa.Integer(), nullable=False),
        sa.Column("ephemeral_gb", sa.Integer(), nullable=False),
        sa.Column("swap_mb", sa.Integer(), nullable=False),
        sa.Column("rxtx_factor", sa.Double(), nullable=False),
        sa.Column("is_public", sa.Boolean(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("description", types.JsonText, nullable=True),
        sa.Column("extra_specs", types.JsonText, nullable=False),
        sa.Column("created_at", types.Stamp, nullable=True),
        sa.Column("updated_at", types.Stamp, nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("flavor_id"),
        sa.UniqueConstraint("name"),
    )


def _keypairs() -> None:
    op.create_table(
        "keypairs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", types.Name, nullable=False),
        sa.Column("name", types.Name, nullable=False),
        sa.Column("type", types.word(8), nullable=False),
        sa.Column("fingerprint", types.Name, nullable=False),
        sa.Column("public_key", types.JsonText, nullable=False),
        sa.Column("created_at", types.Stamp, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("user_id", "name", name="keypairs_user_name"),
    )


def _quota_classes() -> None:
    op.create_table(
        "quota_classes",
        sa.Column("class_name", types.Name, nullable=False),
        sa.Column("resource", types.Name, nullable=False),
        sa.Column("hard_limit", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("class_name", "resource"),
    )


def _quota_usage() -> None:
    op.create_table(
        "quota_usage",
        sa.Column("project_id", types.Name, nullable=False),
        sa.Column("instances", sa.Integer(), nullable=False),
        sa.Column("cores", sa.Integer(), nullable=False),
        sa.Column("ram", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("project_id"),
    )


def _quota_locks() -> None:
    op.create_table(
        "quota_locks",
        sa.Column("resource", types.Name, nullable=False),
        sa.Column("owner", types.Name, nullable=False),
        sa.PrimaryKeyConstraint("resource", "owner"),
    )


def _quotas() -> None:
    op.create_table(
        "quotas",
        sa.Column("project_id", types.Name, nullable=False),
        sa.Column("user_id", types.Name, nullable=False),
        sa.Column("resource", types.Name, nullable=False),
        sa.Column("hard_limit", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "user_id", "resource"),
    )


def _server_groups() -> None:
    op.create_table(
        "server_groups",
        sa.Column("id", types.BigId, nullable=False),
        sa.Column("uuid", types.Uuid, nullable=False),
        sa.Column("project_id", types.Name, nullable=False),
        sa.Column("user_id", types.Name, nullable=False),
        sa.Column("name", types.Name, nullable=False),
        sa.Column("policy", types.word(32), nullable=False),
        sa.Column("rules", types.JsonText, nullable=False),
        sa.Column("created_at", types.Stamp, nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("uuid"),
    )
    op.create_index("server_groups_project", "server_groups", ["project_id"], unique=False)


def _aggregate_hosts() -> None:
    op.create_table(
        "aggregate_hosts",
        sa.Column("aggregate_id", sa.Integer(), nullable=False),
        sa.Column("host", types.Name, nullable=False),
        sa.ForeignKeyConstraint(["aggregate_id"], ["aggregates.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("aggregate_id", "host"),
    )


def _flavor_projects() -> None:
    op.create_table(
        "flavor_projects",
        sa.Column("flavor_id", sa.Integer(), nullable=False),
        sa.Column("project_id", types.Name, nullable=False),
        sa.ForeignKeyConstraint(["flavor_id"], ["flavors.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("flavor_id", "project_id"),
    )


def _host_mappings() -> None:
    op.create_table(
        "host_mappings",
        sa.Column("host", types.Name, nullable=False),
        sa.Column("cell_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["cell_id"], ["cells.id"]),
        sa.PrimaryKeyConstraint("host"),
    )


def _server_group_members() -> None:
    op.create_table(
        "server_group_members",
        sa.Column("group_id", types.BigId, nullable=False),
        sa.Column("server_uuid", types.Uuid, nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["server_groups.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("group_id", "server_uuid"),
    )
    op.create_index("server_group_members_server", "server_group_members", ["server_uuid"], unique=False)


def _server_mappings() -> None:
    op.create_table(
        "server_mappings",
        sa.Column("uuid", types.Uuid, nullable=False),
        sa.Column("cell_id", sa.Integer(), nullable=False),
        sa.Column("project_id", types.Name, nullable=False),
        sa.Column("user_id", types.Name, nullable=False),
        sa.Column("cores", sa.Integer(), nullable=False),
        sa.Column("ram", sa.Integer(), nullable=False),
        sa.Column("counted", sa.Boolean(), nullable=False),
        sa.Column("created_at", types.Stamp, nullable=False),
        sa.Column("sketch", types.JsonText, nullable=True),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["cell_id"], ["cells.id"]),
        sa.PrimaryKeyConstraint("uuid"),
    )
    op.create_index("server_mappings_confirmed", "server_mappings", ["confirmed", "created_at"], unique=False)
    op.create_index("server_mappings_project", "server_mappings", ["project_id", "user_id"], unique=False)


def _idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("id", types.BigId, autoincrement=True, nullable=False),
        sa.Column("project_id", types.Name, nullable=False),
        sa.Column("user_id", types.Name, nullable=False),
        sa.Column("key", types.Name, nullable=False),
        sa.Column("digest", types.word(64), nullable=False),
        sa.Column("request_id", types.Name, nullable=False),
        sa.Column("held_until", types.Stamp, nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("headers", types.JsonText, nullable=True),
        sa.Column("body", types.LongText, nullable=True),
        sa.Column("created_at", types.Stamp, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project_id", "user_id", "key", name="idempotency_keys_key"),
    )
    op.create_index("idempotency_keys_created", "idempotency_keys", ["created_at"], unique=False)
