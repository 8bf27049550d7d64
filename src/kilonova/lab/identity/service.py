"""The identity service, put together.

::

    identity = open_identity(Database(DatabaseOptions(connection="sqlite:////var/lib/…/identity.db")))
    seed(identity.store, passwords, endpoints)
    ThreadedServer(build(identity), "127.0.0.1", 5000, name="identity").start()
"""

from datetime import timedelta

from kilonova.kit.clock import Clock, SystemClock
from kilonova.kit.db.engine import Database
from kilonova.kit.http.app import Application, Service
from kilonova.kit.http.endpoint import Endpoint
from kilonova.kit.http.errors import identity_format
from kilonova.lab.identity.api import (
    application_credentials,
    assignments,
    auth,
    catalog,
    domains,
    grants,
    groups,
    limits,
    memberships,
    projects,
    roles,
    users,
    versions,
)
from kilonova.lab.identity.api.collection import Identity
from kilonova.lab.identity.rules import LocalAuth, Rules
from kilonova.lab.identity.store.store import IdentityStore

_ROOMS = (
    versions,
    auth,
    domains,
    projects,
    users,
    groups,
    memberships,
    roles,
    grants,
    assignments,
    catalog,
    application_credentials,
    limits,
)
TOKEN_LIFETIME = timedelta(hours=1)


def open_identity(
    database: Database, clock: Clock | None = None, token_lifetime: timedelta = TOKEN_LIFETIME
) -> Identity:
    """The parts over a database, whose tables are made when they are missing. Raises WrongSchema."""
    return Identity(IdentityStore(database), clock or SystemClock(), token_lifetime)


def endpoints() -> list[Endpoint]:
    """Everything the service answers."""
    return [endpoint for room in _ROOMS for endpoint in room.ENDPOINTS]


def build(identity: Identity) -> Application:
    """The WSGI application."""
    return Application(
        Service(
            name="identity",
            endpoints=endpoints(),
            app=identity,
            auth=LocalAuth(identity.tokens),
            policy=Rules(),
            error_format=identity_format,
            request_id_headers=("x-openstack-request-id",),
            challenge='Keystone uri="/v3"',
            reply_headers=(("Vary", "X-Auth-Token"),),
        )
    )
