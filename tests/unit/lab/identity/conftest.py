import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from kilonova.kit.clock import ManualClock
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.lab.identity import passwords
from kilonova.lab.identity.api.collection import Identity
from kilonova.lab.identity.store.grants import Actor, Target
from kilonova.lab.identity.store.store import IdentityStore


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def opened(path: Path) -> Database:
    return Database(DatabaseOptions(connection=f"sqlite:///{path}"))


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once, because making tables takes longer than most tests."""
    path = tmp_path_factory.mktemp("identity") / "template.db"
    database = opened(path)
    made = IdentityStore(database)
    made.domains.add({"id": "d", "name": "Dom"})
    for project in ("p", "q"):
        made.projects.add({"id": project, "name": f"project-{project}", "domain_id": "d", "parent_id": "d"})
    made.users.add({"id": "u", "name": "carl", "domain_id": "d", "password": passwords.hash_password("pw", log_n=1)})
    for role in ("admin", "member", "reader"):
        made.roles.add({"id": f"r-{role}", "name": role})
    made.grants.imply("r-admin", "r-member")
    made.grants.imply("r-member", "r-reader")
    made.grants.give(Actor("u"), Target("p"), "r-member")
    database.dispose()
    return path


@pytest.fixture
def store(template: Path, tmp_path: Path) -> Iterator[IdentityStore]:
    """Domain ``d``; projects ``p`` and ``q``; user ``carl`` (password ``pw``) with role ``member`` on ``p``."""
    database = opened(Path(shutil.copy(template, tmp_path / "identity.db")))
    yield IdentityStore(database)
    database.dispose()


@pytest.fixture
def identity(store: IdentityStore, clock: ManualClock) -> Identity:
    return Identity(store, clock, timedelta(hours=1))
