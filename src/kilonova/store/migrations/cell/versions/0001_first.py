"""The cell database."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from kilonova.kit.db import types

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    _block_devices()
    _compute_nodes()
    _console_tokens()
    _operation_steps()
    _operations()
    _servers()
    _services()
    _shares()


def _servers_columns_0() -> list["sa.Column[Any]"]:
    return [
        sa.Column("id", types.BigId, autoincrement=True, nullable=False),
        sa.Column("uuid", types.Uuid, nullable=False),
        sa.Column("project_id", types.Name, nullable=False),
        sa.Column("user_id", types.Name, nullable=False),
        sa.Column("name", types.Name, nullable=False),
        sa.Column("hostname", types.Name, nullable=True),
        sa.Column("description", types.JsonText, nullable=True),
        sa.Column("vm_state", types.word(20), nullable=False),
        sa.Column("task_state", types.word(40), nullable=True),
        sa.Column("power_state", sa.Integer(), nullable=False),
        sa.Column("progress", sa.Integer(), nullable=False),
        sa.Column("host", types.Name, nullable=True),
        sa.Column("node", types.Name, nullable=True),
        sa.Column("availability_zone", types.Name, nullable=True),
        sa.Column("pinned_zone", types.Name, nullable=True),
        sa.Column("launch_index", sa.Integer(), nullable=False),
        sa.Column("reservation_id", types.Name, nullable=True),
        sa.Column("image_ref", types.Name, nullable=True),
        sa.Column("image", types.JsonText, nullable=True),
        sa.Column("flavor_id", types.Name, nullable=False),
        sa.Column("flavor", types.JsonText, nullable=False),
        sa.Column("vcpus", sa.Integer(), nullable=False),
        sa.Column("memory_mb", sa.Integer(), nullable=False),
        sa.Column("disk_gb", sa.Integer(), nullable=False),
        sa.Column("key_name", types.Name, nullable=True),
        sa.Column("key_type", types.word(8), nullable=True),
        sa.Column("key_data", types.JsonText, nullable=True),
    ]


def _servers_columns_1() -> list["sa.Column[Any]"]:
    return [
        sa.Column("user_data", types.JsonText, nullable=True),
        sa.Column("personality", types.JsonText, nullable=True),
        sa.Column("config_drive", sa.Boolean(), nullable=False),
        sa.Column("metadata", types.JsonText, nullable=False),
        sa.Column("tags", types.JsonText, nullable=False),
        sa.Column("security_groups", types.JsonText, nullable=False),
        sa.Column("networks", types.JsonText, nullable=False),
        sa.Column("network_info", types.JsonText, nullable=False),
        sa.Column("addresses", types.JsonText, nullable=False),
        sa.Column("ips", types.JsonText, nullable=False),
        sa.Column("volumes", types.JsonText, nullable=False),
        sa.Column("hints", types.JsonText, nullable=False),
        sa.Column("trusted_certs", types.JsonText, nullable=True),
        sa.Column("fault", types.JsonText, nullable=True),
        sa.Column("shelved_at", types.Stamp, nullable=True),
        sa.Column("shelved_image", types.Name, nullable=True),
        sa.Column("access_ip_v4", types.word(39), nullable=True),
        sa.Column("access_ip_v6", types.word(39), nullable=True),
        sa.Column("root_device_name", types.Name, nullable=True),
        sa.Column("disk_config", types.word(8), nullable=False),
        sa.Column("boot_roles", types.LongText, nullable=True),
        sa.Column("locked_by", types.word(8), nullable=True),
        sa.Column("locked_reason", types.JsonText, nullable=True),
        sa.Column("created_at", types.Stamp, nullable=False),
        sa.Column("updated_at", types.Stamp, nullable=False),
        sa.Column("launched_at", types.Stamp, nullable=True),
        sa.Column("terminated_at", types.Stamp, nullable=True),
        sa.Column("deleted", types.BigId, nullable=False),
        sa.Column("deleted_at", types.Stamp, nullable=True),
        sa.Column("revision", types.BigId, nullable=False),
    ]


def _shares() -> None:
    op.create_table(
        "shares",
        sa.Column("id", types.BigId, autoincrement=True, nullable=False),
        sa.Column("uuid", types.Uuid, nullable=False),
        sa.Column("server_uuid", types.Uuid, nullable=False),
        sa.Column("share_id", types.Uuid, nullable=False),
        sa.Column("status", types.word(20), nullable=False),
        sa.Column("tag", types.word(36), nullable=False),
        sa.Column("export_location", types.LongText, nullable=False),
        sa.Column("protocol", types.word(20), nullable=False),
        sa.Column("created_at", types.Stamp, nullable=False),
        sa.Column("updated_at", types.Stamp, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("server_uuid", "share_id"),
        sa.UniqueConstraint("uuid"),
    )
    op.create_index("shares_share", "shares", ["share_id"], unique=False)


def _block_devices() -> None:
    op.create_table(
        "block_devices",
        sa.Column("id", types.BigId, autoincrement=True, nullable=False),
        sa.Column("uuid", types.Uuid, nullable=False),
        sa.Column("server_uuid", types.Uuid, nullable=False),
        sa.Column("source_type", types.word(10), nullable=False),
        sa.Column("destination_type", types.word(10), nullable=False),
        sa.Column("image_id", types.Uuid, nullable=True),
        sa.Column("snapshot_id", types.Uuid, nullable=True),
        sa.Column("volume_id", types.Uuid, nullable=True),
        sa.Column("boot_index", sa.Integer(), nullable=True),
        sa.Column("device_name", types.Name, nullable=True),
        sa.Column("delete_on_termination", sa.Boolean(), nullable=False),
        sa.Column("volume_size", sa.Integer(), nullable=True),
        sa.Column("volume_type", types.Name, nullable=True),
        sa.Column("guest_format", types.Name, nullable=True),
        sa.Column("disk_bus", types.Name, nullable=True),
        sa.Column("device_type", types.Name, nullable=True),
        sa.Column("tag", types.Name, nullable=True),
        sa.Column("attachment_id", types.Uuid, nullable=True),
        sa.Column("connection_info", types.JsonText, nullable=True),
        sa.Column("created_at", types.Stamp, nullable=False),
        sa.Column("updated_at", types.Stamp, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("uuid"),
    )
    op.create_index("block_devices_server", "block_devices", ["server_uuid"], unique=False)
    op.create_index("block_devices_volume", "block_devices", ["volume_id"], unique=False)


def _compute_nodes() -> None:
    op.create_table(
        "compute_nodes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", types.Uuid, nullable=False),
        sa.Column("host", types.Name, nullable=False),
        sa.Column("node", types.Name, nullable=False),
        sa.Column("facts", types.JsonText, nullable=False),
        sa.Column("failed_builds", sa.Integer(), nullable=False),
        sa.Column("created_at", types.Stamp, nullable=False),
        sa.Column("updated_at", types.Stamp, nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("uuid"),
    )
    op.create_index("compute_nodes_host", "compute_nodes", ["host"], unique=False)


def _console_tokens() -> None:
    op.create_table(
        "console_tokens",
        sa.Column("token_hash", types.word(64), nullable=False),
        sa.Column("server_uuid", types.Uuid, nullable=False),
        sa.Column("kind", types.word(20), nullable=False),
        sa.Column("host", types.Name, nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("tls_port", sa.Integer(), nullable=True),
        sa.Column("internal_access_path", types.Name, nullable=True),
        sa.Column("access_url", types.JsonText, nullable=True),
        sa.Column("expires_at", types.Stamp, nullable=False),
        sa.PrimaryKeyConstraint("token_hash"),
    )
    op.create_index("console_tokens_expiry", "console_tokens", ["expires_at"], unique=False)
    op.create_index("console_tokens_server", "console_tokens", ["server_uuid"], unique=False)


def _operation_steps() -> None:
    op.create_table(
        "operation_steps",
        sa.Column("id", types.BigId, autoincrement=True, nullable=False),
        sa.Column("operation_id", types.Uuid, nullable=False),
        sa.Column("name", types.word(80), nullable=False),
        sa.Column("host", types.Name, nullable=True),
        sa.Column("started_at", types.Stamp, nullable=False),
        sa.Column("finished_at", types.Stamp, nullable=True),
        sa.Column("result", types.JsonText, nullable=True),
        sa.Column("error", types.JsonText, nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("operation_id", "name", name="operation_steps_name"),
    )


def _operations() -> None:
    op.create_table(
        "operations",
        sa.Column("seq", types.BigId, autoincrement=True, nullable=False),
        sa.Column("id", types.Uuid, nullable=False),
        sa.Column("verb", types.word(40), nullable=False),
        sa.Column("server_uuid", types.Uuid, nullable=False),
        sa.Column("project_id", types.Name, nullable=True),
        sa.Column("user_id", types.Name, nullable=True),
        sa.Column("request_id", types.Name, nullable=True),
        sa.Column("command", types.JsonText, nullable=False),
        sa.Column("state", types.word(10), nullable=False),
        sa.Column("cancel", sa.Boolean(), nullable=False),
        sa.Column("owner", types.Name, nullable=True),
        sa.Column("lease_until", types.Stamp, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", types.JsonText, nullable=True),
        sa.Column("created_at", types.Stamp, nullable=False),
        sa.Column("updated_at", types.Stamp, nullable=False),
        sa.Column("finished_at", types.Stamp, nullable=True),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("id"),
    )
    op.create_index("operations_request", "operations", ["request_id"], unique=False)
    op.create_index("operations_server", "operations", ["server_uuid", "seq"], unique=False)
    op.create_index("operations_updated", "operations", ["updated_at"], unique=False)
    op.create_index("operations_state", "operations", ["state", "lease_until"], unique=False)


def _servers() -> None:
    op.create_table(
        "servers",
        *_servers_columns_0(),
        *_servers_columns_1(),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("uuid"),
    )
    op.create_index("servers_created", "servers", ["deleted", "created_at"], unique=False)
    op.create_index("servers_host", "servers", ["host", "deleted"], unique=False)
    op.create_index("servers_project", "servers", ["project_id", "deleted", "created_at"], unique=False)
    op.create_index("servers_task", "servers", ["task_state", "deleted"], unique=False)
    op.create_index("servers_updated", "servers", ["updated_at"], unique=False)


def _services() -> None:
    op.create_table(
        "services",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", types.Uuid, nullable=False),
        sa.Column("host", types.Name, nullable=False),
        sa.Column("binary", types.Name, nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("disabled_reason", types.JsonText, nullable=True),
        sa.Column("forced_down", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("last_seen", types.Stamp, nullable=True),
        sa.Column("created_at", types.Stamp, nullable=False),
        sa.Column("updated_at", types.Stamp, nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("host", "binary", name="services_host_binary"),
        sa.UniqueConstraint("uuid"),
    )
