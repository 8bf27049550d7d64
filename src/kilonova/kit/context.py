"""Who asks: the caller of a request, as far as everything below the doors needs to know."""

import secrets
import uuid
from dataclasses import dataclass, field


def new_request_id() -> str:
    """``req-`` and a UUID, as every OpenStack service writes it."""
    return f"req-{uuid.uuid4()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """A caller. Service work that nobody asked for has ``system()``."""

    request_id: str = field(default_factory=new_request_id)
    user_id: str | None = None
    user_name: str | None = None
    project_id: str | None = None
    project_name: str | None = None
    domain_id: str | None = None
    user_domain_id: str | None = None
    project_domain_id: str | None = None
    system_scope: str | None = None
    roles: tuple[str, ...] = ()
    service_roles: tuple[str, ...] = ()
    token: str | None = field(default=None, repr=False)
    token_key: str = field(default_factory=lambda: secrets.token_hex(8), repr=False)
    """Changes with the token; a handle for caches that must not hold the token itself."""

    @property
    def is_admin(self) -> bool:
        """Has the admin role, by name. Doors use policy; this is for what policy does not cover."""
        return "admin" in self.roles


def system() -> Context:
    """The caller of background work."""
    return Context(roles=("admin", "service"))
