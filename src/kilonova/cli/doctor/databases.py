"""Are the databases there, at this release's revision, and do they know cells and conductors?"""

import re
from collections.abc import Iterator
from datetime import timedelta

from kilonova.cli.doctor.contract import Finding, Patient, broken, doubtful
from kilonova.kit import logs
from kilonova.kit.clock import stamp
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.kit.db.migrate import Schema
from kilonova.kit.errors import KilonovaError
from kilonova.operations.options import ConductorOptions
from kilonova.placement.api.options import PlacementDatabaseOptions
from kilonova.placement.store.sync import SCHEMA as PLACEMENT_SCHEMA
from kilonova.store import cells, host_mappings, hosts, services
from kilonova.store.cells import API_SCHEMA, CELL_SCHEMA

_CONDUCTORS = ("nova-conductor", "nova-scheduler")
_FIXES = (
    (
        re.compile(r"\b104[45]\b|access denied|password authentication failed", re.IGNORECASE),
        "correct user and password in {where}, and let that user in from this machine (GRANT)",
    ),
    (re.compile(r"\b1049\b|unknown database|does not exist", re.IGNORECASE), "create the database that {where} names"),
    (re.compile(r"unable to open database file"), "make its directory, and let the services' user write there"),
)
_NO_ANSWER = "start the database server, or correct host and port in {where}"


def look(patient: Patient) -> Iterator[Finding]:
    """Each database, the cells, and whether conductors report."""
    if not patient.controls:
        yield Finding("Databases", "a compute host uses none")
        return
    usual = patient.configuration.section(DatabaseOptions)
    yield from _of_cells(patient, usual)
    placement = patient.configuration.section(PlacementDatabaseOptions)
    if placement.connection:
        with_fix = "placement-manage db sync"
        yield _revision(placement, PLACEMENT_SCHEMA, "[placement_database] connection", with_fix)


def _of_cells(patient: Patient, usual: DatabaseOptions) -> Iterator[Finding]:
    options = patient.configuration.section(DatabaseOptions, "api_database")
    if not options.connection:
        return  # the configuration's checks have said so
    found = _revision(options, API_SCHEMA, "[api_database] connection", "nova-manage api_db sync")
    yield found
    if found.fix:
        return
    api = Database(options)
    try:
        mapped = [row for row in cells.mappings(api, usual.connection) if not row["disabled"]]
        with api.read() as connection:
            known = set(host_mappings.all_hosts(connection))
    finally:
        api.dispose()
    if not any(row["uuid"] != cells.CELL0 for row in mapped):
        yield broken("Cells", "no cell is mapped", "nova-manage cell_v2 create_cell --name=cell1")
    if not patient.is_lab and not any(row["uuid"] == cells.CELL0 for row in mapped):
        yield broken("Cells", "cell0 is not mapped", "nova-manage cell_v2 map_cell0, then nova-manage db sync")
    for row in mapped:
        yield from _cell(patient, row["name"] or row["uuid"], _at(usual, row["database_connection"]), known)


def _at(usual: DatabaseOptions, connection: str) -> DatabaseOptions:
    return DatabaseOptions(**{**vars(usual), "connection": connection})


def _cell(patient: Patient, name: str, options: DatabaseOptions, known: set[str]) -> Iterator[Finding]:
    found = _revision(options, CELL_SCHEMA, f"the mapping of {name}", "nova-manage db sync")
    yield found
    if found.fix or name == "cell0":
        return
    database = Database(options)
    try:
        with database.read() as connection:
            there = services.page(connection)
            unmapped = set(host_mappings.in_cell(connection)) - known
    finally:
        database.dispose()
    down_after = patient.configuration.section(ConductorOptions).service_down_time
    oldest = stamp(patient.now() - timedelta(seconds=down_after))
    alive = [row for row in there if row["binary"] in _CONDUCTORS and hosts.is_up(row, oldest)]
    words = f"{len(alive)} in {name} have reported within {down_after} s"
    yield Finding("Conductors", words) if alive else broken("Conductors", words, "start nova-conductor")
    if unmapped and not patient.is_lab:
        listed = ", ".join(sorted(unmapped))
        yield doubtful("Cells", f"hosts of {name} that are not mapped: {listed}", "nova-manage cell_v2 discover_hosts")


def _revision(options: DatabaseOptions, schema: Schema, where: str, command: str) -> Finding:
    """Whether the database answers and has this release's tables."""
    name = f"Database of {where}"
    database = None
    try:
        database = Database(options)
        present, newest = schema.version(database), schema.head()
    except KilonovaError as error:
        words = logs.blotted(str(error))
        fix = next((fix for pattern, fix in _FIXES if pattern.search(words)), _NO_ANSWER)
        return broken(name, words, fix.format(where=where))
    finally:
        if database is not None:
            database.dispose()
    if present == newest:
        return Finding(name, f"it answers and is at revision {present}")
    if present is None:
        return broken(name, "it has no tables yet", command)
    if not schema.knows(present):
        return broken(name, f"it is at revision {present}, of a newer release than this one", "upgrade this machine")
    return broken(name, f"it is at revision {present}, this release needs {newest}: a migration is pending", command)
