"""The placement service over falcon.testing: SQLite, noauth2, a clock turned by hand."""

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

import falcon.testing
import pytest

from kilonova.kit.auth import NoAuth
from kilonova.kit.clock import ManualClock
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.kit.options import from_mapping
from kilonova.placement.api.app import build
from kilonova.placement.store import tables as t
from kilonova.placement.store.sync import sync

LATEST = "1.39"


def uid(name: str) -> str:
    """A uuid that stays the same for a name."""
    return str(uuid5(NAMESPACE_DNS, name))


@dataclass
class Api:
    """A caller, and short words for making clouds and reading answers."""

    client: falcon.testing.TestClient
    database: Database
    names: dict[str, str] = field(default_factory=dict)

    def uid(self, name: str) -> str:
        """The uuid that stands for ``name`` in this test."""
        self.names[uid(name)] = name
        return uid(name)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        version: str | None = LATEST,
        token: str | None = "admin",
        roles: str = "",
    ) -> Any:
        """One request."""
        headers = {"OpenStack-API-Version": f"placement {version}"} if version else {}
        if token:
            headers["X-Auth-Token"] = token
        if roles:
            headers["X-Roles"] = roles
        path, _, query = path.partition("?")
        return self.client.simulate_request(method, path, json=body, headers=headers, query_string=query or None)

    def ok(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """The JSON of a request that must succeed."""
        reply = self.call(method, path, body, **more)
        assert reply.status_code < 300, reply.text
        return reply.json if reply.text else None

    def refused(self, status: int, words: str, method: str, path: str, body: Any = None, **more: Any) -> str:
        """The error code of a request that must fail with ``words`` in its message."""
        reply = self.call(method, path, body, **more)
        assert reply.status_code == status, reply.text
        error = reply.json["errors"][0]
        assert words in error["detail"]
        return str(error.get("code"))

    def provider(
        self,
        name: str,
        inventory: Mapping[str, Any] | None = None,
        *,
        parent: str | None = None,
        traits: tuple[str, ...] = (),
        aggregates: tuple[str, ...] = (),
    ) -> str:
        """Make a provider; inventory values are totals or whole records. Its path."""
        body: dict[str, Any] = {"name": name, "uuid": self.uid(name)}
        if parent:
            body["parent_provider_uuid"] = uid(parent)
        self.ok("POST", "/resource_providers", body)
        path = f"/resource_providers/{uid(name)}"
        if inventory:
            records = {c: v if isinstance(v, dict) else {"total": v} for c, v in inventory.items()}
            for custom in (c for c in records if c.startswith("CUSTOM_")):
                self.ok("PUT", f"/resource_classes/{custom}")
            self.ok("PUT", f"{path}/inventories", {"resource_provider_generation": 0, "inventories": records})
        if traits:
            for custom in (t for t in traits if t.startswith("CUSTOM_")):
                self.ok("PUT", f"/traits/{custom}")
            seen = self.generation(name)
            self.ok("PUT", f"{path}/traits", {"resource_provider_generation": seen, "traits": list(traits)})
        if aggregates:
            wanted = [self.uid(a) for a in aggregates]
            seen = self.generation(name)
            self.ok("PUT", f"{path}/aggregates", {"resource_provider_generation": seen, "aggregates": wanted})
        return path

    def generation(self, name: str) -> int:
        """The generation of a provider."""
        return int(self.ok("GET", f"/resource_providers/{uid(name)}")["generation"])

    def claim_body(self, holds: Mapping[str, Mapping[str, int]], generation: int | None = None) -> dict[str, Any]:
        """What PUT /allocations takes at the newest version."""
        return {
            "allocations": {uid(name): {"resources": dict(resources)} for name, resources in holds.items()},
            "project_id": "project",
            "user_id": "user",
            "consumer_generation": generation,
            "consumer_type": "INSTANCE",
        }

    def claim(self, consumer: str, holds: Mapping[str, Mapping[str, int]], generation: int | None = None) -> Any:
        """PUT /allocations; the reply."""
        return self.call("PUT", f"/allocations/{self.uid(consumer)}", self.claim_body(holds, generation))

    def used(self, name: str) -> dict[str, int]:
        """What is used of a provider."""
        return dict(self.ok("GET", f"/resource_providers/{uid(name)}/usages")["usages"])

    def candidates(self, query: str, *, version: str = LATEST) -> list[str]:
        """Candidates in words, sorted: ``cn1 VCPU=1 + disk DISK_GB=2``."""
        answer = self.ok("GET", f"/allocation_candidates?{query}", version=version)
        return sorted(self._words(one["allocations"]) for one in answer["allocation_requests"])

    def _words(self, allocations: Mapping[str, Any]) -> str:
        parts = []
        for provider, given in allocations.items():
            what = " ".join(f"{c}={n}" for c, n in sorted(given["resources"].items()))
            parts.append(f"{self.names[provider]} {what}")
        return " + ".join(sorted(parts))


ELSEWHERE = os.environ.get("KILONOVA_TEST_PLACEMENT_DATABASE")
"""Another database (a SQLAlchemy URL) to run these tests on; what is in it is lost."""


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """URL of a database with schema and standard names: on SQLite, to copy."""
    path = tmp_path_factory.mktemp("placement") / "empty.db"
    url = ELSEWHERE or f"sqlite:///{path}"
    database = Database(DatabaseOptions(connection=url))
    sync(database)
    if not ELSEWHERE:
        with database.read() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.dispose()
    return url


def clear(database: Database) -> None:
    """Remove everything that tests make."""
    with database.write() as connection:
        connection.execute(t.providers.update().values(root_id=None, parent_id=None))
        for table in reversed(t.METADATA.sorted_tables):
            custom = table.c.name.startswith("CUSTOM") if table in (t.classes, t.traits) else None
            connection.execute(table.delete() if custom is None else table.delete().where(custom))


@pytest.fixture
def options() -> dict[str, dict[str, Any]]:
    """Sections of the configuration; a test module may have its own."""
    return {}


@pytest.fixture
def api(empty_database: str, tmp_path: Path, options: dict[str, dict[str, Any]]) -> Iterator[Api]:
    """A fresh service."""
    url = empty_database
    if not ELSEWHERE:
        shutil.copy(url.removeprefix("sqlite:///"), tmp_path / "placement.db")
        url = f"sqlite:///{tmp_path}/placement.db"
    database = Database(DatabaseOptions(connection=url))
    if ELSEWHERE:
        clear(database)
    app = build(database, from_mapping(options), NoAuth(), clock=ManualClock())
    yield Api(falcon.testing.TestClient(app), database)
    database.dispose()
