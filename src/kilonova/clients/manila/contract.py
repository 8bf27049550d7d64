"""What compute asks of Manila."""

from dataclasses import dataclass
from typing import Protocol

from kilonova.kit.context import Context
from kilonova.kit.errors import NotFound


class ShareNotFound(NotFound):
    """No such share, or not for this caller."""

    template = "Share {share_id} could not be found."


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One share and where it is exported."""

    id: str
    status: str
    """``available``, ``creating`` …."""
    protocol: str
    """``NFS``, ``CEPHFS`` …."""
    export: str | None = None
    """The preferred export location, ``10.0.0.50:/mnt/foo``; None while there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A rule by which a host reaches a share."""

    id: str
    to: str
    """The host's address."""
    state: str
    """``queued_to_apply``, ``applying``, ``active``, ``error`` …."""


class Manila(Protocol):
    """``context``: whose eyes; rules are always the service's. Raises the errors of ``clients.keystone.errors``."""

    def get(self, context: Context | None, share_id: str) -> Share:
        """Raises ShareNotFound."""

    def access(self, share_id: str, to: str) -> Access | None:
        """The rule for this address, if there is one."""

    def allow(self, share_id: str, to: str) -> None:
        """Begin to let the address read and write; nobody but the service can take that back. Raises ShareNotFound."""

    def deny(self, share_id: str, access_id: str) -> None:
        """Begin to take that back; a rule or a share that is gone is fine."""
