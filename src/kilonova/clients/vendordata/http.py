"""Services that the operator runs to tell guests something: asked for each server, by POST, for a JSON document."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keystoneauth1.exceptions import ClientException
from keystoneauth1.session import Session

from kilonova.kit import codec
from kilonova.kit.errors import KilonovaError
from kilonova.kit.options import BadConfiguration

LOG = logging.getLogger(__name__)
_HEADERS = {"Accept": "application/json", "User-Agent": "openstack-nova-vendordata"}


class VendorDataFailed(KilonovaError):
    """A target did not answer with a document, and ``[api] vendordata_dynamic_failure_fatal`` is set."""

    template = "Vendor data target {name} at {url}: {reason}"


@dataclass(frozen=True, kw_only=True)
class Targets:
    """``[api] vendordata_dynamic_targets`` and how to ask them."""

    urls: Mapping[str, str]
    """By the name under which the answer stands."""
    session: Session
    auth: Any = None
    """A keystoneauth plugin; None: without a token."""
    timeout: tuple[float, float] = (5, 5)
    """Seconds for the connection and for each read."""
    fatal: bool = False

    def __call__(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Name → answer; ``{}`` for one that failed. Raises VendorDataFailed."""
        return {name: self._ask(name, url, facts) for name, url in self.urls.items()}

    def _ask(self, name: str, url: str, facts: Mapping[str, Any]) -> Any:
        try:
            response = self.session.post(
                url,
                data=codec.dumps(facts),
                headers={**_HEADERS, "Content-Type": "application/json"},
                auth=self.auth,
                authenticated=self.auth is not None,
                timeout=self.timeout,
                connect_retries=0,
            )
            return codec.loads(response.content) if response.content else {}
        except (ClientException, ValueError) as error:
            if self.fatal:
                raise VendorDataFailed(name=name, url=url, reason=error) from error
            LOG.warning("Vendor data target %s at %s: %s", name, url, error)
            return {}


def parsed(targets: list[str]) -> dict[str, str]:
    """``name@url`` entries; of two with one name the first holds. Raises BadConfiguration."""
    found: dict[str, str] = {}
    for target in targets:
        name, separator, url = target.partition("@")
        if not (separator and name and url):
            raise BadConfiguration(reason=f"[api] vendordata_dynamic_targets: {target} is not name@url")
        if name in found:
            LOG.warning("[api] vendordata_dynamic_targets has %s twice; %s is not used", name, url)
        found.setdefault(name, url)
    return found
