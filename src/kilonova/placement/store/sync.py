"""Bringing a database up to date: schema, standard traits and resource classes."""

from pathlib import Path

import os_resource_classes
import os_traits

from kilonova.kit.clock import Clock, SystemClock
from kilonova.kit.db.engine import Database
from kilonova.kit.db.migrate import Schema
from kilonova.placement.store import tables as t
from kilonova.placement.store.names import NameBook

SCHEMA = Schema(Path(__file__).parent / "migrations", t.METADATA, "placement_alembic_version")


def name_books(database: Database, clock: Clock) -> tuple[NameBook, NameBook]:
    """The books of resource classes and of traits."""
    return (
        NameBook("resource class", t.classes, database, clock),
        NameBook("trait", t.traits, database, clock),
    )


def sync_names(classes: NameBook, traits: NameBook) -> None:
    """Add the standard names that the installed libraries know."""
    classes.ensure_standard(os_resource_classes.STANDARDS)
    traits.ensure_standard(os_traits.get_traits())


def sync(database: Database, clock: Clock | None = None) -> None:
    """Schema and standard names, as ``placement-manage db sync`` does it; harmless to repeat."""
    SCHEMA.upgrade(database)
    sync_names(*name_books(database, clock or SystemClock()))
