"""What the commands work on."""

import argparse
import functools
from collections.abc import Callable, Mapping
from typing import Any

from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.kit.errors import KilonovaError, NotFound
from kilonova.kit.options import Configuration
from kilonova.kit.sessions import Sessions
from kilonova.services.parts import open_store
from kilonova.services.process import Neighbours, ProcessOptions, neighbours
from kilonova.store import servers
from kilonova.store.cells import CELL0, Cell, Store, mappings

Row = dict[str, Any]


class Ended(Exception):
    """A command has nothing more to do: what to print, and the exit code."""

    def __init__(self, words: str, code: int) -> None:
        super().__init__(words)
        self.code = code


class NoServer(NotFound):
    """No living server has the UUID."""

    template = "Instance {uuid} could not be found."


class Deployment:
    """Databases and neighbours, each opened when a command asks for it."""

    def __init__(self, configuration: Configuration, others: Neighbours | None = None) -> None:
        self.configuration = configuration
        self._others = others

    @functools.cached_property
    def api(self) -> Database:
        """Raises KilonovaError without an API database."""
        return self.database("api_database")

    @functools.cached_property
    def store(self) -> Store:
        """Raises BadConfiguration, DatabaseUnavailable."""
        return open_store(self.configuration)

    @functools.cached_property
    def others(self) -> Neighbours:
        """Clients of the neighbours. Raises BadConfiguration."""
        return self._others or neighbours(self.configuration)

    @functools.cached_property
    def sessions(self) -> Sessions:
        """For what the neighbours' clients do not ask."""
        return Sessions(self.configuration)

    @property
    def connection(self) -> str | None:
        """``[database] connection``."""
        return self.configuration.section(DatabaseOptions).connection

    @property
    def transport_url(self) -> str | None:
        """``[DEFAULT] transport_url``."""
        return self.configuration.section(ProcessOptions).transport_url

    def database(self, section: str) -> Database:
        """The database of a section. Raises KilonovaError when the section names none."""
        options = self.configuration.section(DatabaseOptions, section)
        if not options.connection:
            raise KilonovaError(f"[{section}] connection is not set")
        return Database(options)

    def mapping(self, uuid: str) -> Row | None:
        """A cell's mapping."""
        return next((dict(row) for row in mappings(self.api) if row["uuid"] == uuid), None)

    def cells(self, *, everywhere: bool = True) -> tuple[Cell, ...]:
        """All cells, cell0 first; or cell0 and the one of ``[database]``, if there is one mapped so."""
        store = self.store
        zero = tuple(cell for cell in store.cells if cell.uuid == CELL0)
        here = self.connection
        return (*zero, *(cell for cell in store.working if everywhere or cell.connection == here))

    def server(self, uuid: str) -> tuple[Cell, Mapping[str, Any]]:
        """A living server and its cell. Raises NoServer."""
        found = self.store.seek(uuid, servers.get)
        if found is None:
            raise NoServer(uuid=uuid)
        return found


Command = Callable[[Deployment, argparse.Namespace], int]
Add = Callable[..., argparse.ArgumentParser]
"""``add(name, command, help, failure=1)`` gives a parser for arguments; ``failure``: the exit code of any error."""
Group = Callable[[str, str], Add]
