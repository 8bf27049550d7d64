"""The Compute API over falcon.testing: SQLite, noauth2, a clock turned by hand."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import falcon.testing
import pytest

from kilonova.api import app, policies
from kilonova.api.wiring import Compute
from kilonova.domain.quota import QuotaOptions
from kilonova.kit.auth import NoAuth
from kilonova.kit.clock import ManualClock
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.kit.options import from_mapping
from kilonova.store import api_tables, cell_tables
from kilonova.store.cells import CELL0, Cell, Store, write_mapping

SAMPLES = Path(__file__).parent / "samples"


@dataclass
class Api:
    """A caller of the API."""

    client: falcon.testing.TestClient
    compute: Compute
    user: str = "admin"
    project: str = "11111111111111111111111111111111"
    roles: str | None = None
    prefix: str = "/v2.1"

    def call(self, method: str, path: str, version: str | None = None, body: Any = None, **more: Any) -> Any:
        """One request; ``path`` may have a query string."""
        headers = {"X-Auth-Token": f"{self.user}:{self.project}", **more.pop("headers", {})}
        if self.roles:
            headers["X-Roles"] = self.roles
        if version:
            headers["OpenStack-API-Version"] = f"compute {version}"
        path, _, query = path.partition("?")
        return self.client.simulate_request(
            method, self.prefix + path, json=body, headers=headers, query_string=query or None, **more
        )

    def get(self, path: str, version: str | None = None, *, status: int = 200) -> Any:
        """The JSON of a GET that must answer ``status``."""
        return self._json(self.call("GET", path, version), status)

    def post(self, path: str, body: Any, version: str | None = None, *, status: int = 200) -> Any:
        """The JSON of a POST that must answer ``status``."""
        return self._json(self.call("POST", path, version, body), status)

    def put(self, path: str, body: Any, version: str | None = None, *, status: int = 200) -> Any:
        """The JSON of a PUT that must answer ``status``."""
        return self._json(self.call("PUT", path, version, body), status)

    def delete(self, path: str, version: str | None = None, *, status: int = 204) -> Any:
        """A DELETE that must answer ``status``."""
        return self._json(self.call("DELETE", path, version), status)

    def _json(self, result: Any, status: int) -> Any:
        assert result.status_code == status, result.text
        return result.json if result.text else None

    def member(self, user: str = "member", project: str | None = None) -> "Api":
        """The same API as an ordinary user."""
        return Api(self.client, self.compute, user, project or self.project, None, self.prefix)


def make_store(folder: Path) -> Store:
    """An API database, cell0 and one cell."""
    databases = [Database(DatabaseOptions(connection=f"sqlite:///{folder}/{name}.db")) for name in ("api", "0", "1")]
    for database, metadata in zip(databases, (api_tables.metadata, *[cell_tables.metadata] * 2), strict=True):
        metadata.create_all(database.engine)
    cells = []
    for uuid, name, database in (
        (CELL0, "cell0", databases[1]),
        ("00000000-0000-0000-0000-000000000001", "cell1", databases[2]),
    ):
        ident = write_mapping(databases[0], {"uuid": uuid, "name": name, "disabled": False})
        cells.append(Cell(ident, uuid, name, database))
    return Store(databases[0], tuple(cells))


@pytest.fixture
def compute(tmp_path: Path) -> Iterator[Compute]:
    store = make_store(tmp_path)
    yield Compute(store=store, clock=ManualClock(), quota=QuotaOptions())
    store.dispose()


@pytest.fixture
def api(compute: Compute) -> Api:
    policy = policies.policy(from_mapping({}))
    return Api(falcon.testing.TestClient(app.build(compute, NoAuth(), policy)), compute)
