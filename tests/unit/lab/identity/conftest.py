from datetime import timedelta

import pytest
from tests.unit.databases import fresh

from kilonova.kit.clock import ManualClock
from kilonova.kit.db.engine import Database
from kilonova.lab.identity import passwords
from kilonova.lab.identity.api.collection import Identity
from kilonova.lab.identity.store.grants import Actor, Target
from kilonova.lab.identity.store.store import IdentityStore


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def _filled(database: Database) -> None:
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


@pytest.fixture
def store() -> IdentityStore:
    """Domain ``d``; projects ``p`` and ``q``; user ``carl`` (password ``pw``) with role ``member`` on ``p``."""
    return IdentityStore(fresh(_filled))


@pytest.fixture
def identity(store: IdentityStore, clock: ManualClock) -> Identity:
    return Identity(store, clock, timedelta(hours=1))
