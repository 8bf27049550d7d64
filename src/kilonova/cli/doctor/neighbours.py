"""Does Keystone let us in, does its catalog have the neighbours, and do they answer our credentials?"""

from collections.abc import Iterator
from dataclasses import dataclass

from keystoneauth1 import exceptions as keystone_errors

from kilonova.cli.doctor.contract import Finding, Patient, broken, doubtful
from kilonova.cli.upgrade_check import Result
from kilonova.clients.keystone.errors import (
    BadCredentials,
    NeighbourDown,
    NeighbourFailed,
    NoEndpoint,
    RemoteForbidden,
    RemoteInvalid,
    RemoteNotFound,
)
from kilonova.clients.keystone.neighbour import Request
from kilonova.clients.keystone.neighbours import TITLES, neighbour
from kilonova.kit import logs
from kilonova.kit.errors import KilonovaError
from kilonova.kit.sessions import Sessions

_FIXES: tuple[tuple[type[KilonovaError], str], ...] = (
    (BadCredentials, "correct username, password, project_name and the domains in that section"),
    (NeighbourDown, "start it, or correct auth_url and the endpoint in the catalog; see its log"),
    (NoEndpoint, "openstack endpoint create, or endpoint_override in that section"),
    (RemoteForbidden, "openstack role add --user USER --project service admin (and service)"),
    (RemoteNotFound, "correct the endpoint in the catalog: something else answers there"),
    (RemoteInvalid, "upgrade it: it does not know this version of its API"),
    (NeighbourFailed, "look into its log"),
)


@dataclass(frozen=True, slots=True)
class _Question:
    """A cheap request that the section's user must be allowed to make."""

    section: str
    path: str
    version: str | None = None
    """OpenStack-API-Version that we need."""
    hosts: bool = False
    """Compute hosts need it, too."""
    optional: bool = False


_QUESTIONS = (
    _Question("glance", "/v2/images", hosts=True),
    _Question("placement", "/resource_providers", version="placement 1.39", hosts=True),
    _Question("neutron", "/v2.0/extensions"),
    _Question("cinder", "/v3/attachments", version="volume 3.44", optional=True),
)


def look(patient: Patient) -> Iterator[Finding]:
    """Keystone first, then each neighbour with its own section's user."""
    sessions = Sessions(patient.configuration)
    found = _login(sessions, () if patient.controls else ("placement", "glance"))
    yield found
    if found.result is Result.FAILURE:
        return  # whatever else is asked would say the same again
    for question in _QUESTIONS:
        if patient.controls or question.hosts:
            yield _ask(sessions, question)


def _login(sessions: Sessions, others: tuple[str, ...]) -> Finding:
    """Whether Keystone gives ``[keystone_authtoken]``'s user a token that may look at the tokens of others."""
    name, credentials = "Keystone", sessions.credentials("keystone_authtoken", others)
    if credentials is None:
        return broken(name, "[keystone_authtoken] has no auth_type", "set auth_type = password and what belongs to it")
    session = sessions.session(sessions.options("keystone_authtoken"))
    try:
        access = credentials.plugin.get_access(session)
    except (
        keystone_errors.Unauthorized,
        keystone_errors.BadRequest,
        keystone_errors.MissingRequiredOptions,
    ) as error:
        words = f"Keystone refuses the credentials in section [{credentials.section}]: {error}"
        return broken(name, words, _fix_of(BadCredentials))
    except keystone_errors.ClientException as error:
        return broken(name, logs.blotted(str(error)), _fix_of(NeighbourDown))
    roles, user = access.role_names, access.username
    who = f"user {user} of project {access.project_name} is let in with the roles {', '.join(sorted(roles)) or 'none'}"
    if credentials.section == "keystone_authtoken" and not {"admin", "service"} & set(roles):
        fix = f"openstack role add --user {user} --project {access.project_name} admin"
        return doubtful(name, f"{who}: neither admin nor service, so it may not look at users' tokens", fix)
    return Finding(name, who)


def _ask(sessions: Sessions, question: _Question) -> Finding:
    title = TITLES[question.section][0]
    headers = {"OpenStack-API-Version": question.version} if question.version else {}
    try:
        asked = neighbour(sessions, question.section)
        asked.call(Request(method="GET", path=question.path, query=_FEW.get(question.section, ()), headers=headers))
    except NoEndpoint as error:
        if question.optional:
            return doubtful(title, str(error), "nothing, unless servers are to have volumes")
        return _trouble(title, error)
    except KilonovaError as error:
        return _trouble(title, error)
    return Finding(
        title, f"it answers at {asked.location().url}" + (f" with {question.version}" if question.version else "")
    )


_FEW = {"glance": (("limit", "1"),), "placement": (("name", "kilonova-doctor"),), "cinder": (("limit", "1"),)}
"""Queries that keep the answers short."""


def _trouble(title: str, error: KilonovaError) -> Finding:
    fix = next((fix for kind, fix in _FIXES if isinstance(error, kind)), "see its log")
    return broken(title, logs.blotted(str(error)), fix)


def _fix_of(kind: type[KilonovaError]) -> str:
    return dict(_FIXES)[kind]
