"""The first content of a lab: domain, projects, users, roles and catalog, as an installation guide would make them."""

import uuid
from collections.abc import Mapping

from kilonova.kit.errors import Invalid
from kilonova.lab.identity import passwords as hashing
from kilonova.lab.identity.store.grants import Actor, Target
from kilonova.lab.identity.store.rows import Row, Rows
from kilonova.lab.identity.store.store import IdentityStore

DOMAIN = "default"
REGION = "RegionOne"
ROLES = ("admin", "manager", "member", "reader", "service")
_IMPLIED = (("admin", "manager"), ("manager", "member"), ("member", "reader"))
_PROJECTS = {"admin": "For the administrator", "service": "For the services' own users", "demo": "To try things"}
_HOLDS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "admin": (("admin", "admin"), ("admin", "demo")),
    "demo": (("member", "demo"),),
    # Compute and network call others in the name of nobody: as in the installation guides, their users are admins.
    "nova": (("admin", "service"), ("service", "service")),
    "neutron": (("admin", "service"), ("service", "service")),
    "placement": (("service", "service"),),
    "glance": (("service", "service"),),
}
USERS = tuple(_HOLDS)
"""Names that ``passwords`` must have."""
_SERVICE_NAMES = {
    "identity": "keystone",
    "image": "glance",
    "network": "neutron",
    "compute": "nova",
    "placement": "placement",
    "volumev3": "cinder",
}


class MissingPassword(Invalid):
    """A user to be made has no password."""

    template = "No password was given for the lab user {name}"


def seed(store: IdentityStore, passwords: Mapping[str, str], endpoints: Mapping[str, str]) -> None:
    """Make what is missing and correct the catalog's URLs; what exists is left as it is, passwords too.

    ``passwords`` has one for each of ``USERS``; ``endpoints`` maps service types to URLs. Safe to repeat at each
    start. Raises MissingPassword before anything is written.
    """
    known = {user["name"] for user in store.users.find({"domain_id": DOMAIN})}
    for name in USERS:
        if name not in known and not passwords.get(name):
            raise MissingPassword(name=name)
    _once(store.domains, {"id": DOMAIN, "name": "Default", "description": "The default domain"}, {"id": DOMAIN})
    roles = {name: _named(store.roles, name) for name in ROLES}
    for prior, implied in _IMPLIED:
        store.grants.imply(roles[prior]["id"], roles[implied]["id"])
    projects = {
        name: _named(store.projects, name, domain_id=DOMAIN, parent_id=DOMAIN, description=text)
        for name, text in _PROJECTS.items()
    }
    for name, held in _HOLDS.items():
        if name in known:
            continue
        user = store.users.add(_user(name, passwords[name], projects[held[-1][1] if name == "demo" else held[0][1]]))
        for role, project in held:
            store.grants.give(Actor(user["id"]), Target(project_id=projects[project]["id"]), roles[role]["id"])
        if name == "admin":
            store.grants.give(Actor(user["id"]), Target(), roles["admin"]["id"])
            store.grants.give(Actor(user["id"]), Target(domain_id=DOMAIN), roles["admin"]["id"])
    _catalog(store, endpoints)


def _user(name: str, password: str, project: Row) -> Row:
    return {
        "id": uuid.uuid4().hex,
        "domain_id": DOMAIN,
        "name": name,
        "password": hashing.hash_password(password),
        "default_project_id": project["id"],
    }


def _catalog(store: IdentityStore, endpoints: Mapping[str, str]) -> None:
    _once(store.regions, {"id": REGION}, {"id": REGION})
    for kind, url in endpoints.items():
        name = _SERVICE_NAMES.get(kind, kind)
        service = _once(store.services, {"id": uuid.uuid4().hex, "type": kind, "name": name}, {"type": kind})
        for interface in ("public", "internal", "admin"):
            key = {"service_id": service["id"], "interface": interface, "region_id": REGION}
            endpoint = _once(store.endpoints, {"id": uuid.uuid4().hex, "url": url, **key}, key)
            if endpoint["url"] != url:
                store.endpoints.change(endpoint["id"], {"url": url})


def _named(rows: Rows, name: str, **values: str) -> Row:
    equal = {"name": name}
    if "domain_id" in values:
        equal["domain_id"] = values["domain_id"]
    return _once(rows, {"id": uuid.uuid4().hex, "name": name, **values}, equal)


def _once(rows: Rows, values: Row, equal: Row) -> Row:
    found = rows.first(**equal)
    return found or rows.add(values)
