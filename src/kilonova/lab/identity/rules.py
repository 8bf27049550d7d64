"""Who may do what: five rules instead of a policy file, for a service that is not meant for production."""

from collections.abc import Callable, Mapping
from typing import Any

from kilonova.kit.context import Context
from kilonova.kit.errors import Forbidden, Unauthorized
from kilonova.lab.identity.tokens import Tokens, digest_of

ADMIN = "identity:admin"
"""Change anything."""
READ = "identity:read"
"""See anything: admins, readers of the system, and services."""
ANYONE = "identity:anyone"
"""Any valid token."""
READ_OR_SELF = "identity:read_or_self"
"""READ, or the target's ``user_id`` is the caller."""
ADMIN_OR_SELF = "identity:admin_or_self"
"""ADMIN, or the target's ``user_id`` is the caller."""


class NotAuthorized(Forbidden):
    """A rule says no."""

    template = "You are not authorized to perform the requested action: {rule}."


def _admin(context: Context, _target: Mapping[str, Any]) -> bool:
    return "admin" in context.roles


def _reads(context: Context, _target: Mapping[str, Any]) -> bool:
    if "admin" in context.roles or "service" in context.roles:
        return True
    return context.system_scope == "all" and "reader" in context.roles


def _self(context: Context, target: Mapping[str, Any]) -> bool:
    return context.user_id is not None and target.get("user_id") == context.user_id


_RULES: dict[str, Callable[[Context, Mapping[str, Any]], bool]] = {
    ADMIN: _admin,
    READ: _reads,
    ANYONE: lambda _context, _target: True,
    READ_OR_SELF: lambda context, target: _reads(context, target) or _self(context, target),
    ADMIN_OR_SELF: lambda context, target: _admin(context, target) or _self(context, target),
}


class Rules:
    """The rules as the HTTP application asks for them."""

    def allows(self, rule: str, context: Context, target: Mapping[str, Any]) -> bool:
        return _RULES[rule](context, target)

    def demand(self, rule: str, context: Context, target: Mapping[str, Any]) -> None:
        """Raises NotAuthorized."""
        if not self.allows(rule, context, target):
            raise NotAuthorized(rule=rule)


class LocalAuth:
    """Callers from tokens by asking the identity service's own store: for itself and for neighbours in its process."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def authenticate(self, headers: Mapping[str, str], request_id: str) -> Context:
        """Raises Unauthorized."""
        token = headers.get("X-AUTH-TOKEN")
        found = self._tokens.look_up(token) if token else None
        if token is None or found is None:
            raise Unauthorized
        return Context(
            request_id=request_id,
            user_id=found.user["id"],
            user_name=found.user["name"],
            project_id=found.project["id"] if found.project else None,
            project_name=found.project["name"] if found.project else None,
            domain_id=found.domain["id"] if found.domain else None,
            user_domain_id=found.user["domain_id"],
            project_domain_id=found.project["domain_id"] if found.project else None,
            system_scope="all" if found.system else None,
            roles=tuple(role["name"] for role in found.roles),
            service_roles=self._service_roles(headers.get("X-SERVICE-TOKEN")),
            token=token,
            token_key=digest_of(token),
        )

    def _service_roles(self, token: str | None) -> tuple[str, ...]:
        found = self._tokens.look_up(token) if token else None
        return tuple(role["name"] for role in found.roles) if found else ()
