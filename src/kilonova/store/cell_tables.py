"""Tables of a cell's database: servers, their operations, the hosts that carry them."""

import sqlalchemy as sa

from kilonova.kit.db.types import BigId, JsonText, LongText, Name, Stamp, Uuid, word

metadata = sa.MetaData()

servers = sa.Table(
    "servers",
    metadata,
    sa.Column("id", BigId, primary_key=True, autoincrement=True),
    sa.Column("uuid", Uuid, nullable=False, unique=True),
    sa.Column("project_id", Name, nullable=False),
    sa.Column("user_id", Name, nullable=False),
    sa.Column("name", Name, nullable=False),
    sa.Column("hostname", Name),
    sa.Column("description", LongText),
    sa.Column("vm_state", word(20), nullable=False),
    sa.Column("task_state", word(40)),
    sa.Column("power_state", sa.Integer, nullable=False, default=0),
    sa.Column("progress", sa.Integer, nullable=False, default=0),
    sa.Column("host", Name),
    sa.Column("node", Name),
    sa.Column("availability_zone", Name),
    sa.Column("pinned_zone", Name),
    sa.Column("launch_index", sa.Integer, nullable=False, default=0),
    sa.Column("reservation_id", Name),
    sa.Column("image_ref", Name),
    # Facts of the image at build time: id, format, size, properties.
    sa.Column("image", JsonText),
    # The flavor's id and the flavor as it was: vcpus, ram, disk, ephemeral, swap, original_name, extra_specs.
    sa.Column("flavor_id", Name, nullable=False),
    sa.Column("flavor", JsonText, nullable=False),
    sa.Column("vcpus", sa.Integer, nullable=False),
    sa.Column("memory_mb", sa.Integer, nullable=False),
    sa.Column("disk_gb", sa.Integer, nullable=False),
    sa.Column("key_name", Name),
    sa.Column("key_type", word(8)),
    sa.Column("key_data", LongText),
    sa.Column("user_data", LongText),
    sa.Column("personality", JsonText),
    sa.Column("config_drive", sa.Boolean, nullable=False, default=False),
    sa.Column("metadata", JsonText, nullable=False),
    sa.Column("tags", JsonText, nullable=False),
    sa.Column("security_groups", JsonText, nullable=False),
    # What was asked for, as given to the network service.
    sa.Column("networks", JsonText, nullable=False),
    # Ports as last seen, and the same in the API's shape of `addresses`.
    sa.Column("network_info", JsonText, nullable=False),
    sa.Column("addresses", JsonText, nullable=False),
    # Space separated, for filters by address.
    sa.Column("ips", LongText, nullable=False),
    # Attached volumes as documents show them; the devices themselves are in block_devices.
    sa.Column("volumes", JsonText, nullable=False),
    sa.Column("hints", JsonText, nullable=False),
    sa.Column("trusted_certs", JsonText),
    sa.Column("fault", JsonText),
    # Of a server on the shelf: since when, and the image of its root disk.
    sa.Column("shelved_at", Stamp),
    sa.Column("shelved_image", Name),
    sa.Column("access_ip_v4", word(39)),
    sa.Column("access_ip_v6", word(39)),
    sa.Column("root_device_name", Name),
    sa.Column("disk_config", word(8), nullable=False, default="MANUAL"),
    # Of who made it, comma separated.
    sa.Column("boot_roles", LongText),
    sa.Column("locked_by", word(8)),
    sa.Column("locked_reason", LongText),
    sa.Column("created_at", Stamp, nullable=False),
    sa.Column("updated_at", Stamp, nullable=False),
    sa.Column("launched_at", Stamp),
    sa.Column("terminated_at", Stamp),
    # 0 while the server lives; its id afterwards.
    sa.Column("deleted", BigId, nullable=False, default=0),
    sa.Column("deleted_at", Stamp),
    # Grows with every change of the row, so that documents made from it can be kept.
    sa.Column("revision", BigId, nullable=False, default=0),
    sa.Index("servers_project", "project_id", "deleted", "created_at"),
    sa.Index("servers_host", "host", "deleted"),
    sa.Index("servers_updated", "updated_at"),
    sa.Index("servers_created", "deleted", "created_at"),
    sa.Index("servers_task", "task_state", "deleted"),
)

shares = sa.Table(
    "shares",
    metadata,
    sa.Column("id", BigId, primary_key=True, autoincrement=True),
    sa.Column("uuid", Uuid, nullable=False, unique=True),
    sa.Column("server_uuid", Uuid, nullable=False),
    sa.Column("share_id", Uuid, nullable=False),
    sa.Column("status", word(20), nullable=False),
    sa.Column("tag", word(36), nullable=False),
    sa.Column("export_location", LongText, nullable=False),
    sa.Column("protocol", word(20), nullable=False),
    sa.Column("created_at", Stamp, nullable=False),
    sa.Column("updated_at", Stamp, nullable=False),
    sa.UniqueConstraint("server_uuid", "share_id"),
    sa.Index("shares_share", "share_id"),
)

block_devices = sa.Table(
    "block_devices",
    metadata,
    sa.Column("id", BigId, primary_key=True, autoincrement=True),
    sa.Column("uuid", Uuid, nullable=False, unique=True),
    sa.Column("server_uuid", Uuid, nullable=False),
    # What domain.block_device.BlockDevice says of each.
    sa.Column("source_type", word(10), nullable=False),
    sa.Column("destination_type", word(10), nullable=False),
    sa.Column("image_id", Uuid),
    sa.Column("snapshot_id", Uuid),
    sa.Column("volume_id", Uuid),
    sa.Column("boot_index", sa.Integer),
    sa.Column("device_name", Name),
    sa.Column("delete_on_termination", sa.Boolean, nullable=False, default=False),
    sa.Column("volume_size", sa.Integer),
    sa.Column("volume_type", Name),
    sa.Column("guest_format", Name),
    sa.Column("disk_bus", Name),
    sa.Column("device_type", Name),
    sa.Column("tag", Name),
    sa.Column("attachment_id", Uuid),
    sa.Column("connection_info", JsonText),
    sa.Column("created_at", Stamp, nullable=False),
    sa.Column("updated_at", Stamp, nullable=False),
    sa.Index("block_devices_server", "server_uuid"),
    sa.Index("block_devices_volume", "volume_id"),
)

operations = sa.Table(
    "operations",
    metadata,
    # Grows with time: orders the operations on one server.
    sa.Column("seq", BigId, primary_key=True, autoincrement=True),
    sa.Column("id", Uuid, nullable=False, unique=True),
    sa.Column("verb", word(40), nullable=False),
    sa.Column("server_uuid", Uuid, nullable=False),
    sa.Column("project_id", Name),
    sa.Column("user_id", Name),
    sa.Column("request_id", Name),
    sa.Column("command", JsonText, nullable=False),
    sa.Column("state", word(10), nullable=False),
    sa.Column("cancel", sa.Boolean, nullable=False, default=False),
    sa.Column("owner", Name),
    sa.Column("lease_until", Stamp),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("error", LongText),
    sa.Column("created_at", Stamp, nullable=False),
    sa.Column("updated_at", Stamp, nullable=False),
    sa.Column("finished_at", Stamp),
    sa.Index("operations_server", "server_uuid", "seq"),
    sa.Index("operations_request", "request_id"),
    sa.Index("operations_updated", "updated_at"),
    sa.Index("operations_state", "state", "lease_until"),
)

steps = sa.Table(
    "operation_steps",
    metadata,
    sa.Column("id", BigId, primary_key=True, autoincrement=True),
    sa.Column("operation_id", Uuid, nullable=False),
    sa.Column("name", word(80), nullable=False),
    sa.Column("host", Name),
    sa.Column("started_at", Stamp, nullable=False),
    sa.Column("finished_at", Stamp),
    sa.Column("result", JsonText),
    sa.Column("error", LongText),
    sa.UniqueConstraint("operation_id", "name", name="operation_steps_name"),
)

services = sa.Table(
    "services",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("uuid", Uuid, nullable=False, unique=True),
    sa.Column("host", Name, nullable=False),
    sa.Column("binary", Name, nullable=False),
    sa.Column("disabled", sa.Boolean, nullable=False, default=False),
    sa.Column("disabled_reason", LongText),
    sa.Column("forced_down", sa.Boolean, nullable=False, default=False),
    sa.Column("version", sa.Integer, nullable=False, default=1),
    sa.Column("last_seen", Stamp),
    sa.Column("created_at", Stamp, nullable=False),
    sa.Column("updated_at", Stamp),
    sa.UniqueConstraint("host", "binary", name="services_host_binary"),
)

compute_nodes = sa.Table(
    "compute_nodes",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("uuid", Uuid, nullable=False, unique=True),
    sa.Column("host", Name, nullable=False),
    sa.Column("node", Name, nullable=False),
    # hypervisor.contracts.NodeFacts as last reported.
    sa.Column("facts", JsonText, nullable=False),
    sa.Column("failed_builds", sa.Integer, nullable=False, default=0),
    sa.Column("created_at", Stamp, nullable=False),
    sa.Column("updated_at", Stamp),
    sa.Index("compute_nodes_host", "host"),
)

console_tokens = sa.Table(
    "console_tokens",
    metadata,
    # sha256 of the token: reading the database gives nobody a console.
    sa.Column("token_hash", word(64), primary_key=True),
    sa.Column("server_uuid", Uuid, nullable=False),
    sa.Column("kind", word(20), nullable=False),
    sa.Column("host", Name, nullable=False),
    sa.Column("port", sa.Integer, nullable=False),
    sa.Column("tls_port", sa.Integer),
    sa.Column("internal_access_path", Name),
    sa.Column("access_url", LongText),
    sa.Column("expires_at", Stamp, nullable=False),
    sa.Index("console_tokens_server", "server_uuid"),
    sa.Index("console_tokens_expiry", "expires_at"),
)

server_passwords = sa.Table(
    "server_passwords",
    metadata,
    sa.Column("server_uuid", Uuid, primary_key=True),
    # As the guest gave it: encrypted with the user's public key.
    sa.Column("password", LongText, nullable=False),
)

# What `nova-manage db archive_deleted_rows` moved out of the way, until `db purge`.
archived_servers = sa.Table(
    "archived_servers",
    metadata,
    sa.Column("id", BigId, primary_key=True, autoincrement=True),
    sa.Column("server_uuid", Uuid, nullable=False, unique=True),
    sa.Column("deleted_at", Stamp, nullable=False),
    sa.Column("archived_at", Stamp, nullable=False),
    # Table → rows, as they were.
    sa.Column("rows", JsonText, nullable=False),
    sa.Index("archived_servers_deleted", "deleted_at"),
)

# Of which host the usage of a period was told, or is being told.
task_log = sa.Table(
    "task_log",
    metadata,
    sa.Column("host", Name, primary_key=True),
    sa.Column("period_beginning", Stamp, primary_key=True),
    sa.Column("period_ending", Stamp, primary_key=True),
    sa.Column("state", word(10), nullable=False),
    sa.Column("instances", sa.Integer, nullable=False),
    sa.Column("errors", sa.Integer, nullable=False),
    sa.Column("message", LongText, nullable=False),
    sa.Column("updated_at", Stamp, nullable=False),
)

# What a server did with a volume, over all times that it was attached and started.
volume_usage = sa.Table(
    "volume_usage",
    metadata,
    sa.Column("server_uuid", Uuid, primary_key=True),
    sa.Column("volume_id", Uuid, primary_key=True),
    # Counters of runs of the guest that are over, and of the present one as last seen.
    sa.Column("before", JsonText, nullable=False),
    sa.Column("now", JsonText, nullable=False),
    sa.Column("updated_at", Stamp, nullable=False),
)

migrations = sa.Table(
    "migrations",
    metadata,
    sa.Column("id", BigId, primary_key=True, autoincrement=True),
    # Also the consumer in Placement that holds the source's claim while the server holds the destination's.
    sa.Column("uuid", Uuid, nullable=False, unique=True),
    sa.Column("server_uuid", Uuid, nullable=False),
    # Who asked for it.
    sa.Column("project_id", Name),
    sa.Column("user_id", Name),
    sa.Column("kind", word(20), nullable=False),
    sa.Column("status", word(20), nullable=False),
    sa.Column("source_compute", Name),
    sa.Column("source_node", Name),
    sa.Column("dest_compute", Name),
    sa.Column("dest_node", Name),
    sa.Column("dest_host", Name),
    # Row numbers of the flavors.
    sa.Column("old_flavor", sa.Integer),
    sa.Column("new_flavor", sa.Integer),
    # Columns of the server as they were, for the way back.
    sa.Column("before", JsonText, nullable=False),
    # What users asked of a live migration under way.
    sa.Column("cancel", sa.Boolean, nullable=False, default=False),
    sa.Column("force_complete", sa.Boolean, nullable=False, default=False),
    *(
        sa.Column(f"{what}_{which}", sa.BigInteger)
        for what in ("memory", "disk")
        for which in ("total", "processed", "remaining")
    ),
    sa.Column("created_at", Stamp, nullable=False),
    sa.Column("updated_at", Stamp, nullable=False),
    sa.Index("migrations_server", "server_uuid", "status"),
    sa.Index("migrations_source", "source_compute", "status"),
    sa.Index("migrations_status", "status", "updated_at"),
)
