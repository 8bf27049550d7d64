"""The metadata service as a WSGI application."""

import logging
from typing import Any

from kilonova.kit.clock import Clock, SystemClock
from kilonova.kit.errors import KilonovaError
from kilonova.kit.http.app import Application, Service
from kilonova.kit.http.endpoint import Endpoint
from kilonova.kit.http.errors import TITLES
from kilonova.metadata import ec2, openstack
from kilonova.metadata.askers import Askers
from kilonova.metadata.options import MetadataOptions
from kilonova.metadata.wiring import Metadata
from kilonova.store.cells import Store

LOG = logging.getLogger(__name__)


def endpoints() -> list[Endpoint]:
    """The whole routing table."""
    return [*openstack.ENDPOINTS, *ec2.ENDPOINTS]


def build(store: Store, options: MetadataOptions, clock: Clock | None = None) -> Application:
    """The application; guests have no tokens, so it authenticates by ``metadata.askers``."""
    if options.proxy.service_metadata_proxy and not options.proxy.metadata_proxy_shared_secret:
        LOG.warning("[neutron] metadata_proxy_shared_secret is not set: anyone who reaches this port can ask")
    turn = clock or SystemClock()
    service = Metadata(Askers(store, options, turn), options, turn)
    return Application(
        Service(name="metadata", endpoints=endpoints(), app=service, error_format=_words, max_body=1 << 16)
    )


def _words(status: int, error: KilonovaError, request_id: str, version: Any) -> tuple[str, bytes]:
    """Errors as text: whoever reads them does so with curl inside a guest."""
    del request_id, version
    return openstack.TEXT, f"{status} {TITLES.get(status, 'Error')}\n\n{error}\n".encode()
