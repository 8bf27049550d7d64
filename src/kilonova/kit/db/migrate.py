"""Schema migrations by alembic, driven from code: each schema is a package with ``versions/`` inside.

Migration modules are ordinary alembic revisions; there is no ini file and no env.py to copy.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from kilonova.kit.db.engine import Database
from kilonova.kit.errors import Invalid


class UnknownRevision(Invalid):
    """The named revision does not exist in this schema."""

    template = "Schema revision {revision} is not known; the newest is {head}"


class Schema:
    """The migrations below ``directory`` (which has a ``versions`` folder) over ``metadata``."""

    def __init__(self, directory: Path, metadata: sa.MetaData, version_table: str = "alembic_version") -> None:
        self._directory = directory
        self.metadata = metadata
        self._version_table = version_table

    def _script(self) -> ScriptDirectory:
        config = Config()
        config.set_main_option("script_location", str(self._directory))
        return ScriptDirectory.from_config(config)

    def head(self) -> str | None:
        """The newest revision."""
        return self._script().get_current_head()

    def knows(self, revision: str) -> bool:
        """Whether it is one of this release's."""
        return revision in {entry.revision for entry in self._script().walk_revisions()}

    def version(self, database: Database) -> str | None:
        """The database's revision; None when it is empty."""
        with database.read() as connection:
            return self._context(connection).get_current_revision()

    def _context(self, connection: Any, steps: Callable[..., Any] | None = None) -> MigrationContext:
        opts: dict[str, Any] = {"version_table": self._version_table, "target_metadata": self.metadata}
        if steps is not None:
            opts["fn"] = steps
        return MigrationContext.configure(connection, opts=opts)

    def upgrade(self, database: Database, revision: str = "head") -> None:
        """Bring the database to ``revision``; does nothing when it is there. Raises UnknownRevision."""
        script = self._script()
        target = self.head() if revision == "head" else revision
        if target is None or not self.knows(target):
            raise UnknownRevision(revision=revision, head=self.head())

        def steps(current: Any, _context: Any) -> Any:
            return script._upgrade_revs(str(target), current)  # noqa: SLF001  # what alembic's own env.py calls

        with database.write() as connection:
            context = self._context(connection, steps)
            with Operations.context(context):
                context.run_migrations()

    def stamp(self, database: Database, revision: str = "head") -> None:
        """Say that the database is at ``revision`` without running anything."""
        with database.write() as connection:
            self._context(connection).stamp(self._script(), revision)
