"""One unit of work: the documents, who asks, and what the lab allows."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network

from kilonova.kit.context import Context
from kilonova.lab.networks import errors
from kilonova.lab.networks.options import LabNetworkOptions
from kilonova.lab.networks.store.documents import Document, Documents

_PRIVILEGED = {"admin", "service"}
_WRITERS = {"admin", "service", "manager", "member"}


@dataclass(frozen=True)
class Caller:
    """Who asks. ``privileged``: admin or a service; sees all and may act for other projects."""

    project_id: str
    privileged: bool
    writer: bool

    def owns(self, document: Document) -> bool:
        """Is it the caller's own, or is the caller privileged?"""
        return self.privileged or document["project_id"] == self.project_id


def caller_of(context: Context) -> Caller:
    """The caller that a token says."""
    roles = {role.lower() for role in context.roles} | {role.lower() for role in context.service_roles}
    return Caller(context.project_id or "", bool(roles & _PRIVILEGED), bool(roles & _WRITERS))


@dataclass(frozen=True)
class Work:
    """Handed to every verb."""

    docs: Documents
    caller: Caller
    options: LabNetworkOptions
    host_networks: Callable[[], Sequence[IPv4Network]] = tuple
    """Asks what this host uses itself; subnets must keep off."""
    changed_servers: set[str] = field(default_factory=set)
    """Servers whose addresses this work changed: compute is told when it is done."""

    def must(self, kind: str, document_id: str) -> Document:
        """The document, whoever asks. Raises …NotFound."""
        found = self.docs.get(kind, document_id)
        if found is None:
            raise errors.NOT_FOUND[kind](id=document_id)
        return found

    def own(self, kind: str, document_id: str) -> Document:
        """The caller's own document. Raises …NotFound."""
        found = self.must(kind, document_id)
        if not self.caller.owns(found):
            raise errors.NOT_FOUND[kind](id=document_id)
        return found

    def touched(self, port_id: str | None) -> None:
        """Remember the server behind a port."""
        port = self.docs.get("port", port_id) if port_id else None
        if port is not None and port["device_owner"].startswith("compute:"):
            self.changed_servers.add(port["device_id"])

    def network(self, network_id: str) -> Document:
        """A network that the caller sees. Raises NetworkNotFound."""
        found = self.must("network", network_id)
        if not (self.caller.owns(found) or found["shared"] or found["router:external"]):
            raise errors.NetworkNotFound(id=network_id)
        return found


def new_id() -> str:
    """A fresh UUID."""
    return str(uuid.uuid4())
