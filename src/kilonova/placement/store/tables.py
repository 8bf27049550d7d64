"""Placement's tables.

``used`` and ``capacity`` live in the inventory row, so that neither a claim nor a search ever sums allocations.
``root_id`` is copied into the rows that searches start from (inventories, traits, aggregates), so that one index
look-up answers "does this tree have …"; it changes only when a tree is re-parented. ``claimable`` is computed by the
database, so that an index tells who has room for so much. ``trait_list`` is the provider's
traits as JSON text, put into provider summaries unparsed; the rows of ``provider_traits`` are there to search by.
"""

from typing import Any

import sqlalchemy as sa

METADATA = sa.MetaData()
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
CLAIMABLE = "CASE WHEN capacity - used < max_unit THEN capacity - used ELSE max_unit END"
"""The most one consumer can claim of an inventory now, as the domain's ``Stock.claimable``."""
LONG_TEXT = sa.Text().with_variant(sa.Text(1 << 24), "mysql", "mariadb")
_OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "sqlite_autoincrement": True,
}
_PLAIN = {k: v for k, v in _OPTIONS.items() if k != "sqlite_autoincrement"}

classes = sa.Table(
    "resource_classes",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("name", sa.String(255), nullable=False, unique=True),
    sa.Column("updated_at", sa.DateTime, nullable=False),
    **_OPTIONS,
)
traits = sa.Table(
    "traits",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("name", sa.String(255), nullable=False, unique=True),
    sa.Column("updated_at", sa.DateTime, nullable=False),
    **_OPTIONS,
)
aggregates = sa.Table(
    "aggregates",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("uuid", sa.String(36), nullable=False, unique=True),
    **_OPTIONS,
)
providers = sa.Table(
    "resource_providers",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("uuid", sa.String(36), nullable=False, unique=True),
    sa.Column("name", sa.String(200), nullable=False, unique=True),
    sa.Column("generation", sa.BigInteger, nullable=False),
    sa.Column("root_id", sa.Integer, sa.ForeignKey("resource_providers.id"), nullable=True),
    sa.Column("parent_id", sa.Integer, sa.ForeignKey("resource_providers.id"), nullable=True, index=True),
    sa.Column("trait_list", LONG_TEXT, nullable=False),
    sa.Column("updated_at", sa.DateTime, nullable=False),
    sa.Index("providers_by_tree", "root_id", "generation", "parent_id"),
    **_OPTIONS,
)
provider_traits = sa.Table(
    "provider_traits",
    METADATA,
    sa.Column("trait_id", sa.ForeignKey("traits.id"), primary_key=True, autoincrement=False),
    sa.Column("provider_id", sa.ForeignKey("resource_providers.id"), primary_key=True, autoincrement=False, index=True),
    sa.Column("root_id", sa.Integer, nullable=False, index=True),
    sa.Index("provider_traits_by_tree", "trait_id", "root_id"),
    **_PLAIN,
)
provider_aggregates = sa.Table(
    "provider_aggregates",
    METADATA,
    sa.Column("aggregate_id", sa.ForeignKey("aggregates.id"), primary_key=True, autoincrement=False),
    sa.Column("provider_id", sa.ForeignKey("resource_providers.id"), primary_key=True, autoincrement=False, index=True),
    sa.Column("root_id", sa.Integer, nullable=False, index=True),
    sa.Index("provider_aggregates_by_tree", "aggregate_id", "root_id"),
    **_PLAIN,
)
inventories = sa.Table(
    "inventories",
    METADATA,
    sa.Column("provider_id", sa.ForeignKey("resource_providers.id"), primary_key=True, autoincrement=False),
    sa.Column("class_id", sa.ForeignKey("resource_classes.id"), primary_key=True, autoincrement=False),
    sa.Column("root_id", sa.Integer, nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("reserved", sa.Integer, nullable=False),
    sa.Column("min_unit", sa.Integer, nullable=False),
    sa.Column("max_unit", sa.Integer, nullable=False),
    sa.Column("step_size", sa.Integer, nullable=False),
    sa.Column("allocation_ratio", sa.Double, nullable=False),
    sa.Column("capacity", sa.BigInteger, nullable=False),
    sa.Column("used", sa.BigInteger, nullable=False),
    sa.Column("claimable", sa.BigInteger, sa.Computed(CLAIMABLE, persisted=True)),
    sa.Column("updated_at", sa.DateTime, nullable=False),
    sa.Index("inventories_by_tree", "root_id", "class_id", "claimable", "min_unit", "step_size"),
    sa.Index("inventories_by_room", "class_id", "claimable", "root_id"),
    **_PLAIN,
)
consumers = sa.Table(
    "consumers",
    METADATA,
    sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
    sa.Column("uuid", sa.String(36), nullable=False, unique=True),
    sa.Column("generation", sa.BigInteger, nullable=False),
    sa.Column("project_id", sa.String(255), nullable=False),
    sa.Column("user_id", sa.String(255), nullable=False),
    sa.Column("consumer_type", sa.String(255), nullable=True),
    sa.Column("updated_at", sa.DateTime, nullable=False),
    sa.Index("consumers_by_project", "project_id", "user_id"),
    **_OPTIONS,
)
allocations = sa.Table(
    "allocations",
    METADATA,
    sa.Column("consumer_id", sa.ForeignKey("consumers.id"), primary_key=True, autoincrement=False),
    # Provider and class are there as long as the inventory is: keys to them would only make each claim dearer.
    sa.Column("provider_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("class_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("used", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.DateTime, nullable=False),
    sa.ForeignKeyConstraint(
        ["provider_id", "class_id"], ["inventories.provider_id", "inventories.class_id"], name="allocations_inventory"
    ),
    sa.Index("allocations_by_inventory", "provider_id", "class_id"),
    **_PLAIN,
)
