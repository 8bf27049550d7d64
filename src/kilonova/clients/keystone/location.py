"""Where a neighbour is, with everything about the way there that does not change between calls."""

import re
from dataclasses import dataclass
from typing import Any, Self

from keystoneauth1.session import Session
from requests.adapters import BaseAdapter

_VERSION = re.compile(r"/v\d+(\.\d+)?(/(AUTH_)?[0-9a-f]{8}[0-9a-f-]{24,28})?$")
"""With the project that Cinder's endpoints end in."""


@dataclass(frozen=True, slots=True)
class Location:
    """A base URL and the transport that reaches it."""

    url: str
    """Without trailing slash and without a version."""
    transport: BaseAdapter
    verify: Any
    cert: Any
    proxies: Any

    @classmethod
    def of(cls, url: str, session: Session) -> Self:
        """Proxies and CA bundles of the environment count, and are looked up once instead of at each call."""
        plain = session.session
        settings = plain.merge_environment_settings(url, {}, stream=True, verify=session.verify, cert=session.cert)
        return cls(url, plain.get_adapter(url), settings["verify"], settings["cert"], settings["proxies"])


def bare(url: str) -> str:
    """An endpoint without its version: catalogs list ``http://host:9696`` as well as ``http://host:9696/v2.0/``."""
    return _VERSION.sub("", url.rstrip("/"))
