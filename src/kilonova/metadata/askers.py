"""Which server asks: by the network service's signed headers, or by the address the request comes from."""

import hashlib
import hmac
import ipaddress
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from kilonova.kit import codec
from kilonova.kit.clock import Clock
from kilonova.kit.errors import Forbidden, Invalid, NotFound
from kilonova.kit.http.schema import is_uuid
from kilonova.metadata.options import MetadataOptions
from kilonova.store import servers
from kilonova.store.cells import Cell, Store

LOG = logging.getLogger(__name__)
_MOST_KEPT = 10_000

Asker = tuple[Cell, Mapping[str, Any]]
"""The server's cell and row."""


class HeaderMissing(Invalid):
    """The proxy did not say who asks (400)."""

    template = "{header} header is missing from request."


class HeaderRepeated(Invalid):
    """Somebody added to what the proxy said (400)."""

    template = "Multiple {header} headers found within request."


class BadSignature(Forbidden):
    """The request was not signed with the shared secret (403)."""

    template = "Invalid proxy request signature."


class UnknownAsker(NotFound):
    """No server has this id or address, or it belongs to another project (404)."""

    template = "No server was found for this request."


class Askers:
    """Finds the server of a request; remembers it for ``[api] metadata_cache_expiration`` seconds."""

    def __init__(self, store: Store, options: MetadataOptions, clock: Clock) -> None:
        self._store = store
        self._service = options.service
        self._proxy = options.proxy
        self._networks_of = options.networks_of
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, Asker]] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, headers: Mapping[str, str], sender: str) -> Asker:
        """Raises HeaderMissing, HeaderRepeated, BadSignature, UnknownAsker."""
        if self._proxy.service_metadata_proxy:
            balanced = "X-METADATA-PROVIDER" in headers
            return self._balanced(headers) if balanced else self._proxied(headers)
        if self._service.use_forwarded_for:
            sender = headers.get("X-FORWARDED-FOR", sender).split(",")[0].strip()
        return self._direct(sender)

    def _proxied(self, headers: Mapping[str, str]) -> Asker:
        uuid, project, signature = (
            _single(headers, name) for name in ("X-Instance-ID", "X-Tenant-ID", "X-Instance-ID-Signature")
        )
        self._demand_signed(uuid, signature)
        if not is_uuid(uuid):
            raise UnknownAsker
        asker = self._remembered(uuid, lambda: self._by_uuid(uuid))
        if asker[1]["project_id"] != project:
            LOG.warning("Metadata of %s was asked for in the name of project %s, not its own", uuid, project)
            raise UnknownAsker
        return asker

    def _balanced(self, headers: Mapping[str, str]) -> Asker:
        """By a load balancer in front of some networks: the address of the guest is unique within those."""
        provider = _single(headers, "X-Metadata-Provider")
        if self._proxy.metadata_proxy_shared_secret:
            self._demand_signed(provider, _single(headers, "X-Metadata-Provider-Signature"))
        forwarded = headers.get("X-FORWARDED-FOR")
        if not forwarded:
            raise HeaderMissing(header="X-Forwarded-For")
        address = _address(forwarded.split(",")[0].strip())

        def look() -> Asker:
            return self._by_address(address, set(self._networks_of(provider)))

        return self._remembered(f"{provider} {address}", look)

    def _demand_signed(self, what: str, signature: str) -> None:
        """Raises BadSignature."""
        secret = self._proxy.metadata_proxy_shared_secret.encode()
        expected = hmac.new(secret, what.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            LOG.warning("Metadata of %s was asked for with a wrong signature", what)
            raise BadSignature

    def _direct(self, sender: str) -> Asker:
        address = _address(sender)
        return self._remembered(address, lambda: self._by_address(address))

    def _by_uuid(self, uuid: str) -> Asker:
        cell = self._store.locate(uuid)
        if cell is not None:
            with cell.database.read() as connection:
                row = servers.get(connection, uuid)
            if row is not None:
                return cell, row
        raise UnknownAsker

    def _by_address(self, address: str, networks: set[str] | None = None) -> Asker:
        """``networks``: only a server that has the address there. Raises UnknownAsker."""
        answers = self._store.ask(lambda connection: servers.with_address(connection, address)).whole()
        found: list[Asker] = [(cell, row) for cell, rows in answers for row in rows if _has(row, address, networks)]
        if len(found) > 1:
            LOG.warning("Address %s has several servers; only the proxy can tell them apart", address)
        if len(found) != 1:
            raise UnknownAsker
        return found[0]

    def _remembered(self, key: str, look: Callable[[], Asker]) -> Asker:
        now = self._clock.monotonic()
        with self._lock:
            kept = self._kept.get(key)
        if kept is not None and kept[0] > now:
            return kept[1]
        asker = look()
        if self._service.metadata_cache_expiration:
            with self._lock:
                self._kept[key] = (now + self._service.metadata_cache_expiration, asker)
                self._kept.move_to_end(key)
                while len(self._kept) > _MOST_KEPT:
                    self._kept.popitem(last=False)
        return asker


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise UnknownAsker from None


def _has(row: Mapping[str, Any], address: str, networks: set[str] | None) -> bool:
    if networks is None:
        return True
    nics = [nic for nic in codec.loads(row["network_info"]) if nic["network_id"] in networks]
    return any(fixed["address"] == address for nic in nics for fixed in nic["fixed_ips"])


def _single(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name.upper())
    if not value:
        raise HeaderMissing(header=name)
    if "," in value:
        raise HeaderRepeated(header=name)
    return value
