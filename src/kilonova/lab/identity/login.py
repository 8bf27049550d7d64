"""From the body of ``POST /v3/auth/tokens`` to a proven user and a target. Every refusal is the same bare 401."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kilonova.kit.clock import Clock
from kilonova.kit.errors import Invalid, Unauthorized
from kilonova.lab.identity import passwords
from kilonova.lab.identity.store.grants import Target
from kilonova.lab.identity.store.rows import Row
from kilonova.lab.identity.store.store import IdentityStore
from kilonova.lab.identity.tokens import Described, Login, Tokens, is_past

Section = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class _Proof:
    user: Row
    methods: tuple[str, ...]
    token: Described | None = None
    application_credential: Row | None = None


class LoginDesk:
    """Checks who someone is."""

    def __init__(self, store: IdentityStore, tokens: Tokens, clock: Clock) -> None:
        self._store = store
        self._tokens = tokens
        self._clock = clock
        self._methods: dict[str, Callable[[Section], _Proof]] = {
            "password": self._by_password,
            "token": self._by_token,
            "application_credential": self._by_application_credential,
        }

    def log_in(self, auth: Section) -> Login:
        """The ``auth`` object of the body. Raises Unauthorized; Invalid for what cannot be understood."""
        identity = auth["identity"]
        proofs = [self._prove(method, identity) for method in identity["methods"]]
        if len({proof.user["id"] for proof in proofs}) != 1:
            raise Unauthorized
        credential = next((p.application_credential for p in proofs if p.application_credential), None)
        token = next((p.token for p in proofs if p.token), None)
        methods = tuple(dict.fromkeys(m for proof in proofs for m in proof.methods))
        return Login(
            user=proofs[0].user,
            methods=methods,
            target=self._target(auth.get("scope"), proofs[0].user, credential),
            application_credential=credential,
            expires_at=token.expires_at if token else None,
            audit_ids=tuple(token.audit_ids) if token else (),
        )

    def _prove(self, method: str, identity: Section) -> _Proof:
        prove = self._methods.get(method)
        if prove is None:
            raise Unauthorized("Attempted to authenticate with an unsupported method.")
        section = identity.get(method)
        if not isinstance(section, Mapping):
            raise Invalid(f"Expecting to find {method} in identity. The server could not comply with the request.")
        return prove(section)

    def _by_password(self, section: Section) -> _Proof:
        wanted = _object(section, "user")
        user = self._user(wanted)
        password = wanted.get("password")
        if not isinstance(password, str):
            raise Invalid("Expecting to find password in user. The server could not comply with the request.")
        if user is None or not passwords.verify(password, user["password"]):
            raise Unauthorized
        return _Proof(user=user, methods=("password",))

    def _by_token(self, section: Section) -> _Proof:
        found = self._tokens.look_up(str(section.get("id", "")))
        # A token of an application credential must not become one for something else.
        if found is None or found.application_credential is not None:
            raise Unauthorized
        return _Proof(user=found.user, methods=(*found.methods, "token"), token=found)

    def _by_application_credential(self, section: Section) -> _Proof:
        row = self._credential(section)
        secret = section.get("secret")
        if not isinstance(secret, str):
            raise Invalid("Expecting to find secret in application_credential.")
        if row is None or is_past(row["expires_at"], self._clock.now()):
            raise Unauthorized
        if not passwords.verify(secret, row["secret"]):
            raise Unauthorized
        user = self._store.users.get(row["user_id"])
        return _Proof(user=user, methods=("application_credential",), application_credential=row)

    def _credential(self, section: Section) -> Row | None:
        if section.get("id"):
            return self._store.application_credentials.first(id=section["id"])
        user = self._user(_object(section, "user"))
        if user is None or not section.get("name"):
            return None
        return self._store.application_credentials.first(user_id=user["id"], name=section["name"])

    def _user(self, wanted: Section) -> Row | None:
        if wanted.get("id"):
            return self._store.users.first(id=wanted["id"])
        domain = self._domain(_object(wanted, "domain"))
        if domain is None:
            return None
        return self._store.users.first(domain_id=domain["id"], name=wanted.get("name"))

    def _domain(self, wanted: Section) -> Row | None:
        if wanted.get("id"):
            return self._store.domains.first(id=wanted["id"])
        return self._store.domains.first(name=wanted.get("name"))

    def _target(self, scope: Any, user: Row, credential: Row | None) -> Target | None:
        if credential is not None:
            target = Target(project_id=credential["project_id"])
            if scope and self._asked(scope) != target:
                raise Unauthorized
            return target
        if scope:
            return self._asked(scope)
        default = user["default_project_id"]
        if scope is None and default and self._store.grants.effective(user["id"], Target(project_id=default)):
            project = self._store.projects.first(id=default)
            return Target(project_id=default) if project and project["enabled"] else None
        return None

    def _asked(self, scope: Any) -> Target | None:
        if scope == "unscoped" or "unscoped" in scope:
            return None
        if "system" in scope:
            return Target()
        if "project" in scope:
            found = self._project(_object(scope, "project"))
            key = "project_id"
        elif "domain" in scope:
            found = self._domain(_object(scope, "domain"))
            key = "domain_id"
        else:
            raise Invalid("Expecting project, domain, system or unscoped in scope.")
        if found is None:
            raise Unauthorized
        return Target(**{key: found["id"]})

    def _project(self, wanted: Section) -> Row | None:
        if wanted.get("id"):
            return self._store.projects.first(id=wanted["id"])
        domain = self._domain(_object(wanted, "domain"))
        if domain is None:
            return None
        return self._store.projects.first(domain_id=domain["id"], name=wanted.get("name"))


def _object(section: Section, key: str) -> Section:
    found = section.get(key)
    if not isinstance(found, Mapping):
        raise Invalid(f"Expecting to find {key} as an object in the request's auth section.")
    return found
