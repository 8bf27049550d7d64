"""Tables of the lab identity service, and how a database gets them.

There is no alembic here, on purpose: the lab's data is a handful of rows that ``kilonova up`` can seed again, and
migrations would cost start-up time and memory on every laptop. One row holds the schema's number instead; a database
of another number is refused with words, never half used.
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

    template = (
        "The lab identity database has schema {found}, this release needs {wanted}; move the file away to seed anew"
    )


def _reference(name: str, target: str, *, nullable: bool = False, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(
        name, _KEY, sa.ForeignKey(f"{target}.id", ondelete="CASCADE"), nullable=nullable, primary_key=primary_key
    )


SCHEMA = sa.Table("schema_version", METADATA, sa.Column("version", sa.Integer, primary_key=True))

DOMAINS = sa.Table(
    "domains",
    METADATA,
    sa.Column("id", _KEY, primary_key=True),
    sa.Column("name", _NAME, nullable=False, unique=True),
    sa.Column("description", sa.Text, nullable=False, default=""),
    sa.Column("enabled", sa.Boolean, nullable=False, default=True),
    sa.Column("extra", sa.JSON, nullable=False, default=dict),
)
PROJECTS = sa.Table(
    "projects",
    METADATA,
    sa.Column("id", _KEY, primary_key=True),
    _reference("domain_id", "domains"),
    sa.Column("parent_id", _KEY, nullable=False),
    sa.Column("name", _NAME, nullable=False),
    sa.Column("description", sa.Text, nullable=False, default=""),
    sa.Column("enabled", sa.Boolean, nullable=False, default=True),
    sa.Column("tags", sa.JSON, nullable=False, default=list),
    sa.Column("extra", sa.JSON, nullable=False, default=dict),
    sa.UniqueConstraint("domain_id", "name"),
)
USERS = sa.Table(
    "users",
    METADATA,
    sa.Column("id", _KEY, primary_key=True),
    _reference("domain_id", "domains"),
    sa.Column("name", _NAME, nullable=False),
    sa.Column("password", sa.String(255)),
    sa.Column("default_project_id", _KEY),
    sa.Column("enabled", sa.Boolean, nullable=False, default=True),
    sa.Column("extra", sa.JSON, nullable=False, default=dict),
    sa.UniqueConstraint("domain_id", "name"),
)
GROUPS = sa.Table(
    "groups",
    METADATA,
    sa.Column("id", _KEY, primary_key=True),
    _reference("domain_id", "domains"),
    sa.Column("name", _NAME, nullable=False),
    sa.Column("description", sa.Text, nullable=False, default=""),
    sa.Column("extra", sa.JSON, nullable=False, default=dict),
    sa.UniqueConstraint("domain_id", "name"),
)
GROUP_MEMBERS = sa.Table(
    "group_members",
    METADATA,
    _reference("group_id", "groups", primary_key=True),
    _reference("user_id", "users", primary_key=True),
)
ROLES = sa.Table(
    "roles",
    METADATA,
    sa.Column("id", _KEY, primary_key=True),
    sa.Column("name", _NAME, nullable=False, unique=True),
    sa.Column("description", sa.Text, nullable=False, default=""),
    sa.Column("extra", sa.JSON, nullable=False, default=dict),
)
IMPLICATIONS = sa.Table(
    "role_implications",
    METADATA,
    _reference("prior_id", "roles", primary_key=True),
    _reference("implied_id", "roles", primary_key=True),
)
ASSIGNMENTS = sa.Table(
    "assignments",
    METADATA,
    # Actor, target and role in one text: nullable columns do not take part in unique constraints.
    sa.Column("key", sa.String(255), primary_key=True),
    _reference("user_id", "users", nullable=True),
    _reference("group_id", "groups", nullable=True),
    _reference("project_id", "projects", nullable=True),
    _reference("domain_id", "domains", nullable=True),
    _reference("role_id", "roles"),
)
REGIONS = sa.Table(
    "regions",
    METADATA,
    sa.Column("id", _NAME, primary_key=True),
    sa.Column("description", sa.Text, nullable=False, default=""),
    sa.Column("parent_region_id", _NAME),
    sa.Column("extra", sa.JSON, nullable=False, default=dict),
)
SERVICES = sa.Table(
    "services",
    METADATA,
    sa.Column("id", _KEY, primary_key=True),
    sa.Column("type", _NAME, nullable=False),
    sa.Column("name", _NAME, nullable=False, default=""),
    sa.Column("description", sa.Text, nullable=False, default=""),
    sa.Column("enabled", sa.Boolean, nullable=False, default=True),
    sa.Column("extra", sa.JSON, nullable=False, default=dict),
)
ENDPOINTS = sa.Table(
    "endpoints",
    METADATA,
    sa.Column("id", _KEY, primary_key=True),
    _reference("service_id", "services"),
    sa.Column("region_id", _NAME),
    sa.Column("interface", sa.String(8), nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False, default=True),
    sa.Column("extra", sa.JSON, nullable=False, default=dict),
)
APPLICATION_CREDENTIALS = sa.Table(
    "application_credentials",
    METADATA,
    sa.Column("id", _KEY, primary_key=True),
    _reference("user_id", "users"),
    _reference("project_id", "projects"),
    sa.Column("name", _NAME, nullable=False),
    sa.Column("description", sa.Text),
    sa.Column("secret", sa.String(255), nullable=False),
    sa.Column("expires_at", sa.DateTime),
    sa.Column("unrestricted", sa.Boolean, nullable=False, default=False),
    sa.Column("role_ids", sa.JSON, nullable=False),
    sa.UniqueConstraint("user_id", "name"),
)
TOKENS = sa.Table(
    "tokens",
    METADATA,
    sa.Column("id", _KEY, primary_key=True),
    _reference("user_id", "users"),
    _reference("project_id", "projects", nullable=True),
    _reference("domain_id", "domains", nullable=True),
    sa.Column("system", sa.Boolean, nullable=False, default=False),
    _reference("application_credential_id", "application_credentials", nullable=True),
    sa.Column("methods", sa.JSON, nullable=False),
    sa.Column("audit_ids", sa.JSON, nullable=False),
    sa.Column("issued_at", sa.DateTime, nullable=False),
    sa.Column("expires_at", sa.DateTime, nullable=False, index=True),
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
