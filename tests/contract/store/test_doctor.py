"""What real servers say to those whom they do not let in, and what `kilonova doctor` makes of it."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import URL, make_url
from tests.contract.store.private_servers import PrivateServer

from kilonova.cli.doctor import databases
from kilonova.cli.doctor.contract import Patient, Role
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.kit.options import from_mapping

pytestmark = pytest.mark.system


@pytest.mark.parametrize("kind", ["mariadb", "postgresql"])
def test_login_database_and_clock(kind: str, servers: Callable[[str], PrivateServer]) -> None:
    server = servers(kind)
    there = make_url(server.url(""))

    def fix(changed: URL) -> str:
        url = changed.render_as_string(hide_password=False)
        [found] = databases.look(Patient(from_mapping({"api_database": {"connection": url}}), Role.CONTROLLER))
        return found.fix

    assert fix(there.set(database="nowhere")).startswith("create the database that [api_database] connection names")
    assert fix(there.set(port=1)).startswith("start the database server")
    if kind == "mariadb":  # the PostgreSQL of the tests trusts everybody
        assert fix(there.set(username="nova", password="wrong")).startswith("correct user and password")
    database = Database(DatabaseOptions(connection=server.url("")))
    now = database.now()
    database.dispose()
    assert now is not None
    assert abs((now - datetime.now(UTC)).total_seconds()) < 2
