"""The first schema.

Revision ID: 0001
Revises:
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_CLAIMABLE = "CASE WHEN capacity - used < max_unit THEN capacity - used ELSE max_unit END"
_LONG_TEXT = sa.Text().with_variant(sa.Text(1 << 24), "mysql", "mariadb")
_PLAIN: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
_COUNTED: dict[str, Any] = {**_PLAIN, "sqlite_autoincrement": True}


def upgrade() -> None:
    """Make all tables."""
    _names("resource_classes")
    _names("traits")
    op.create_table(
        "aggregates",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("uuid", sa.String(36), nullable=False, unique=True),
        **_COUNTED,
    )
    _providers()
    _memberships("provider_traits", "trait_id", "traits.id")
    _memberships("provider_aggregates", "aggregate_id", "aggregates.id")
    _inventories()
    _consumers()
    _allocations()


def _names(table: str) -> None:
    op.create_table(
        table,
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("name", sa.String(255), nullable=False, unique=True),
        sa.Column("updated_at", sa.DateTime, nullable=False),
        **_COUNTED,
    )


def _providers() -> None:
    op.create_table(
        "resource_providers",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("uuid", sa.String(36), nullable=False, unique=True),
        sa.Column("name", sa.String(200), nullable=False, unique=True),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("root_id", sa.Integer, sa.ForeignKey("resource_providers.id"), nullable=True),
        sa.Column("parent_id", sa.Integer, sa.ForeignKey("resource_providers.id"), nullable=True),
        sa.Column("trait_list", _LONG_TEXT, nullable=False),
        sa.Column("updated_at", sa.DateTime, nullable=False),
        **_COUNTED,
    )
    op.create_index("providers_by_tree", "resource_providers", ["root_id", "generation", "parent_id"])
    op.create_index("ix_resource_providers_parent_id", "resource_providers", ["parent_id"])


def _memberships(table: str, column: str, target: str) -> None:
    op.create_table(
        table,
        sa.Column(column, sa.Integer, sa.ForeignKey(target), primary_key=True, autoincrement=False),
        sa.Column(
            "provider_id", sa.Integer, sa.ForeignKey("resource_providers.id"), primary_key=True, autoincrement=False
        ),
        sa.Column("root_id", sa.Integer, nullable=False),
        **_PLAIN,
    )
    op.create_index(f"ix_{table}_provider_id", table, ["provider_id"])
    op.create_index(f"ix_{table}_root_id", table, ["root_id"])
    op.create_index(f"{table}_by_tree", table, [column, "root_id"])


def _inventories() -> None:
    op.create_table(
        "inventories",
        sa.Column(
            "provider_id", sa.Integer, sa.ForeignKey("resource_providers.id"), primary_key=True, autoincrement=False
        ),
        sa.Column("class_id", sa.Integer, sa.ForeignKey("resource_classes.id"), primary_key=True, autoincrement=False),
        sa.Column("root_id", sa.Integer, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("reserved", sa.Integer, nullable=False),
        sa.Column("min_unit", sa.Integer, nullable=False),
        sa.Column("max_unit", sa.Integer, nullable=False),
        sa.Column("step_size", sa.Integer, nullable=False),
        sa.Column("allocation_ratio", sa.Double, nullable=False),
        sa.Column("capacity", sa.BigInteger, nullable=False),
        sa.Column("used", sa.BigInteger, nullable=False),
        sa.Column("claimable", sa.BigInteger, sa.Computed(_CLAIMABLE, persisted=True)),
        sa.Column("updated_at", sa.DateTime, nullable=False),
        **_PLAIN,
    )
    tree = ["root_id", "class_id", "claimable", "min_unit", "step_size"]
    op.create_index("inventories_by_tree", "inventories", tree)
    op.create_index("inventories_by_room", "inventories", ["class_id", "claimable", "root_id"])


def _consumers() -> None:
    op.create_table(
        "consumers",
        sa.Column("id", _BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("uuid", sa.String(36), nullable=False, unique=True),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("project_id", sa.String(255), nullable=False),
        sa.Column("user_id", sa.String(255), nullable=False),
        sa.Column("consumer_type", sa.String(255), nullable=True),
        sa.Column("updated_at", sa.DateTime, nullable=False),
        **_COUNTED,
    )
    op.create_index("consumers_by_project", "consumers", ["project_id", "user_id"])


def _allocations() -> None:
    op.create_table(
        "allocations",
        sa.Column("consumer_id", _BIG_ID, sa.ForeignKey("consumers.id"), primary_key=True, autoincrement=False),
        sa.Column("provider_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("class_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("used", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.DateTime, nullable=False),
        sa.ForeignKeyConstraint(
            ["provider_id", "class_id"],
            ["inventories.provider_id", "inventories.class_id"],
            name="allocations_inventory",
        ),
        **_PLAIN,
    )
    op.create_index("allocations_by_inventory", "allocations", ["provider_id", "class_id"])
