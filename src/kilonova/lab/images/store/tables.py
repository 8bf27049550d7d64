"""Tables of the lab image service, and how a database gets them.

No alembic, on purpose: migrations would cost start-up time and memory on every laptop for three small tables. One row
holds the schema's number; a database of another number is refused with words, never half used.
"""

import sqlalchemy as sa

from kilonova.kit.db.engine import Database
from kilonova.kit.errors import Unsupported

SCHEMA_VERSION = 1
METADATA = sa.MetaData()
_KEY = sa.String(64)
_NAME = sa.String(255)


class WrongSchema(Unsupported):
    """The file was written by another release of the lab."""

    template = "The lab image database has schema {found}, this release needs {wanted}; move the file away"


SCHEMA = sa.Table("schema_version", METADATA, sa.Column("version", sa.Integer, primary_key=True))
IMAGES = sa.Table(
    "images",
    METADATA,
    sa.Column("id", _KEY, primary_key=True),
    sa.Column("name", _NAME),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("visibility", sa.String(16), nullable=False),
    sa.Column("owner", _NAME),
    sa.Column("protected", sa.Boolean, nullable=False, default=False),
    sa.Column("os_hidden", sa.Boolean, nullable=False, default=False),
    sa.Column("container_format", sa.String(20)),
    sa.Column("disk_format", sa.String(20)),
    sa.Column("min_disk", sa.Integer, nullable=False, default=0),
    sa.Column("min_ram", sa.Integer, nullable=False, default=0),
    sa.Column("size", sa.BigInteger),
    sa.Column("virtual_size", sa.BigInteger),
    sa.Column("checksum", sa.String(32)),
    sa.Column("os_hash_algo", sa.String(16)),
    sa.Column("os_hash_value", sa.String(128)),
    sa.Column("created_at", sa.DateTime, nullable=False, index=True),
    sa.Column("updated_at", sa.DateTime, nullable=False),
    sa.Column("properties", sa.JSON, nullable=False, default=dict),
)
TAGS = sa.Table(
    "image_tags",
    METADATA,
    sa.Column("image_id", _KEY, sa.ForeignKey("images.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("tag", _NAME, primary_key=True),
)
MEMBERS = sa.Table(
    "image_members",
    METADATA,
    sa.Column("image_id", _KEY, sa.ForeignKey("images.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("member_id", _NAME, primary_key=True),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("created_at", sa.DateTime, nullable=False),
    sa.Column("updated_at", sa.DateTime, nullable=False),
)


def prepare(database: Database) -> None:
    """Make the tables in an empty database. Raises WrongSchema for one of another release."""
    with database.write() as connection:
        if not sa.inspect(connection).has_table(SCHEMA.name):
            METADATA.create_all(connection)
            connection.execute(SCHEMA.insert().values(version=SCHEMA_VERSION))
        found = connection.execute(sa.select(SCHEMA.c.version)).scalar_one()
        if found != SCHEMA_VERSION:
            raise WrongSchema(found=found, wanted=SCHEMA_VERSION)
