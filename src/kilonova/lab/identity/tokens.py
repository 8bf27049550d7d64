"""Tokens: random words given out once, kept as digests, described afresh each time they are shown.

Roles, names and catalog are read when a token is validated: a disabled user or a taken role ends its use at once.
"""

import hashlib
import secrets
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from kilonova.kit.clock import Clock
from kilonova.kit.errors import Unauthorized
from kilonova.lab.identity.store.grants import Target
from kilonova.lab.identity.store.rows import Row
from kilonova.lab.identity.store.store import IdentityStore

LATE = timedelta(days=2)
"""How long after expiry ``allow_expired`` still validates, for long operations of services."""


@dataclass(frozen=True, kw_only=True)
class Login:
    """A proven user and what the token shall be for."""

    user: Row
    methods: tuple[str, ...]
    target: Target | None = None
    """None: an unscoped token."""
    application_credential: Row | None = None
    expires_at: datetime | None = None
    """Of the token this one is made from; it never lives longer."""
    audit_ids: tuple[str, ...] = ()
    """Of the token this one is made from."""


@dataclass(frozen=True, kw_only=True)
class Described:
    """A valid token with all that is known about it."""

    digest: str
    user: Row
    user_domain: Row
    project: Row | None = None
    project_domain: Row | None = None
    domain: Row | None = None
    system: bool = False
    roles: list[Row] = field(default_factory=list)
    application_credential: Row | None = None
    methods: list[str] = field(default_factory=list)
    audit_ids: list[str] = field(default_factory=list)
    issued_at: datetime
    expires_at: datetime

    @property
    def scoped(self) -> bool:
        """Is the token for a project, a domain or the system?"""
        return bool(self.project or self.domain or self.system)


class Tokens:
    """Issues, describes and revokes tokens."""

    def __init__(self, store: IdentityStore, clock: Clock, lifetime: timedelta) -> None:
        self._store = store
        self._clock = clock
        self._lifetime = lifetime

    def issue(self, login: Login) -> tuple[str, Described]:
        """A new token. Raises Unauthorized when the user has no role on the target, or something is disabled."""
        token = secrets.token_hex(32)
        row = self._row(token, login)
        described = self._describe(row)
        if described is None:
            raise Unauthorized
        self._store.tokens.add(row, forget_before=self._clock.now() - LATE)
        return token, described

    def _row(self, token: str, login: Login) -> Row:
        now = self._clock.now().replace(microsecond=0)
        expires = now + self._lifetime
        if login.expires_at is not None:
            expires = min(expires, login.expires_at)
        credential = login.application_credential
        if credential is not None and credential["expires_at"] is not None:
            expires = min(expires, credential["expires_at"])
        target = login.target
        return {
            "id": digest_of(token),
            "user_id": login.user["id"],
            "project_id": target.project_id if target else None,
            "domain_id": target.domain_id if target else None,
            "system": target == Target(),
            "application_credential_id": credential["id"] if credential else None,
            "methods": list(login.methods),
            "audit_ids": [secrets.token_urlsafe(16), *login.audit_ids[-1:]],
            "issued_at": now,
            "expires_at": expires,
        }

    def look_up(self, token: str, *, allow_expired: bool = False) -> Described | None:
        """The token's description; None when it is unknown, expired, revoked or no longer backed by its user."""
        row = self._store.tokens.get(digest_of(token))
        if row is None:
            return None
        grace = LATE if allow_expired else timedelta(0)
        if row["expires_at"] + grace <= self._clock.now():
            return None
        return self._describe(row)

    def revoke(self, token: str) -> None:
        """End the token's life."""
        self._store.tokens.remove(digest_of(token))

    def _describe(self, row: Row) -> Described | None:
        store = self._store
        user = store.users.first(id=row["user_id"])
        if user is None or not user["enabled"]:
            return None
        project = store.projects.first(id=row["project_id"]) if row["project_id"] else None
        domain = store.domains.first(id=row["domain_id"]) if row["domain_id"] else None
        domains = {d["id"]: d for d in store.domains.find({})}
        user_domain = domains[user["domain_id"]]
        project_domain = domains[project["domain_id"]] if project else None
        if not all(part["enabled"] for part in (project, domain, user_domain, project_domain) if part is not None):
            return None
        credential = self._credential(row)
        if row["application_credential_id"] and credential is None:
            return None
        roles = self._roles(row, credential)
        if (project or domain or row["system"]) and not roles:
            return None
        return Described(
            digest=row["id"],
            user=user,
            user_domain=user_domain,
            project=project,
            project_domain=project_domain,
            domain=domain,
            system=row["system"],
            roles=roles,
            application_credential=credential,
            methods=row["methods"],
            audit_ids=row["audit_ids"],
            issued_at=row["issued_at"],
            expires_at=row["expires_at"],
        )

    def _credential(self, row: Row) -> Row | None:
        key = row["application_credential_id"]
        found = self._store.application_credentials.first(id=key) if key else None
        if found is None or is_past(found["expires_at"], self._clock.now()):
            return None
        return found

    def _roles(self, row: Row, credential: Row | None) -> list[Row]:
        target = Target(row["project_id"], row["domain_id"])
        if target == Target() and not row["system"]:
            return []
        held = self._store.grants.effective(row["user_id"], target)
        if credential is not None:
            held &= self._store.grants.with_implied(credential["role_ids"])
        return self._store.roles.some(held)


def digest_of(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def is_past(moment: datetime | None, now: datetime) -> bool:
    """Has the moment come? A missing one never does."""
    return moment is not None and moment <= now


def moment_text(moment: datetime) -> str:
    """As Keystone writes times: UTC with microseconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def token_document(token: Described, catalog: list[dict[str, Any]] | None) -> dict[str, Any]:
    """The ``token`` object; ``catalog`` None leaves it out, as for unscoped tokens and ``nocatalog``."""
    out: dict[str, Any] = {
        "methods": token.methods,
        "user": {
            "id": token.user["id"],
            "name": token.user["name"],
            "domain": named(token.user_domain),
            "password_expires_at": None,
        },
        "audit_ids": token.audit_ids,
        "issued_at": moment_text(token.issued_at),
        "expires_at": moment_text(token.expires_at),
    }
    if token.scoped:
        out["roles"] = [named(role) for role in token.roles]
    if token.project and token.project_domain:
        out["project"] = {**named(token.project), "domain": named(token.project_domain)}
        out["is_domain"] = False
    if token.domain:
        out["domain"] = named(token.domain)
    if token.system:
        out["system"] = {"all": True}
    credential = token.application_credential
    if credential:
        out["application_credential"] = {**named(credential), "restricted": not credential["unrestricted"]}
    if catalog is not None and token.scoped:
        out["catalog"] = catalog
    return out


def named(row: Row) -> dict[str, Any]:
    """Id and name of something."""
    return {"id": row["id"], "name": row["name"]}


def catalog_of(store: IdentityStore, project_id: str | None, user_id: str | None) -> list[dict[str, Any]]:
    """Enabled services with their enabled endpoints, project and user put into the URLs.

    An endpoint whose URL needs a project is left out where there is none, as Keystone does.
    """
    by_service: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for endpoint in store.endpoints.find({"enabled": True}):
        url = _filled(endpoint["url"], project_id, user_id)
        if url is not None:
            region = endpoint["region_id"]
            shown = {"id": endpoint["id"], "interface": endpoint["interface"], "region_id": region, "region": region}
            by_service[endpoint["service_id"]].append({**shown, "url": url})
    return [
        {"id": service["id"], "type": service["type"], "name": service["name"], "endpoints": by_service[service["id"]]}
        for service in store.services.find({"enabled": True})
    ]


def _filled(url: str, project_id: str | None, user_id: str | None) -> str | None:
    known = {"project_id": project_id, "tenant_id": project_id, "user_id": user_id}
    for name, value in known.items():
        for form in (f"%({name})s", f"$({name})s"):
            if form in url:
                if value is None:
                    return None
                url = url.replace(form, value)
    return url
