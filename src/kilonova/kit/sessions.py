"""Credentials and keystoneauth sessions from the sections of ``nova.conf``.

A neighbour's section (``[neutron]``, ``[placement]`` …) says how to log in (``auth_type`` and what that needs), where
the neighbour is (catalog or ``endpoint_override``) and how patient to be. A section without ``auth_type`` borrows the
credentials of ``[service_user]``, then of ``[keystone_authtoken]``. Only ``kit`` hands oslo.config to keystoneauth.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from keystoneauth1 import loading
from keystoneauth1.exceptions import ClientException
from keystoneauth1.session import Session, TCPKeepAliveAdapter

from kilonova.kit.http.in_process import WsgiAdapter, WsgiApplication
from kilonova.kit.options import BadConfiguration, Configuration, opt

FALLBACKS = ("service_user", "keystone_authtoken")
_POOL = 64
"""Kept connections per neighbour: more than a process has request threads."""
ANSWER_SECONDS = 60.0
"""How long a service may keep its answer where no option says: the libraries would wait for ever."""


@dataclass(frozen=True)
class EndpointOptions:
    """What every neighbour's section has in common (keystoneauth's session and adapter options)."""

    service_type: str | None = opt(None, "service type looked up in the catalog")
    service_name: str | None = opt(None, "service name looked up in the catalog")
    valid_interfaces: list[str] = opt(["internal", "public"], "endpoint interfaces tried in order")
    region_name: str | None = opt(None, "region picked from the service catalog")
    endpoint_override: str | None = opt(None, "fixed URL used instead of the catalog entry")
    cafile: str | None = opt(None, "CA bundle for verifying TLS")
    certfile: str | None = opt(None, "client certificate file")
    keyfile: str | None = opt(None, "client key file")
    insecure: bool = opt(default=False, help_text="skip TLS verification")
    timeout: float | None = opt(None, "seconds before a request to the service is given up")
    connect_retries: int | None = opt(None, "retries after a failed connection", min=0)
    connect_retry_delay: float | None = opt(None, "seconds between connection retries", min=0)
    status_code_retries: int | None = opt(None, "retries on retriable HTTP codes", min=0)
    status_code_retry_delay: float | None = opt(None, "seconds between such retries", min=0)
    retriable_status_codes: list[str] = opt([], "HTTP codes that trigger a retry")


@dataclass(frozen=True)
class ServiceUserOptions:
    """``[service_user]``: who we are to other services beside the user."""

    GROUP: ClassVar[str] = "service_user"
    send_service_user_token: bool = opt(default=False, help_text="send a service token beside the user token")


@dataclass(frozen=True)
class Credentials:
    """A way to log in, and the section that it comes from."""

    section: str
    plugin: Any
    """A keystoneauth auth plugin; it keeps its token until it expires."""


class Sessions:
    """Makes sessions for one process; credentials of a section are loaded once, so that their token is shared.

    ``mounts`` puts WSGI applications of this process behind URL prefixes: ``{"http://placement.local": app}``.
    """

    def __init__(self, configuration: Configuration, mounts: Mapping[str, WsgiApplication] | None = None) -> None:
        self.configuration = configuration
        self._mounts = dict(mounts or {})
        self._credentials: dict[str, Credentials | None] = {}
        self._sends_service_token: bool | None = None
        self._lock = threading.Lock()

    def options(self, section: str) -> EndpointOptions:
        """The section's endpoint options. Raises BadConfiguration."""
        return self.configuration.section(EndpointOptions, section)

    def session(self, options: EndpointOptions) -> Session:
        """A pooled session with the section's TLS settings."""
        cert = (options.certfile, options.keyfile) if options.certfile and options.keyfile else options.certfile
        verify = not options.insecure and (options.cafile or True)
        session = Session(verify=verify, cert=cert, timeout=options.timeout or ANSWER_SECONDS)
        for scheme in ("http://", "https://"):
            session.mount(scheme, TCPKeepAliveAdapter(pool_maxsize=_POOL))
        for prefix, app in self._mounts.items():
            session.mount(prefix, WsgiAdapter(app))
        return session

    def credentials(self, section: str, fallbacks: Sequence[str] = FALLBACKS) -> Credentials | None:
        """The section's own credentials, or the first fallback's that has some. Raises BadConfiguration."""
        for name in (section, *fallbacks):
            found = self._load(name)
            if found is not None:
                return found
        return None

    @property
    def service_token(self) -> Credentials | None:
        """Whose token goes beside a user's: ``[service_user]``, when ``send_service_user_token`` asks for it."""
        if self._sends_service_token is None:
            self._sends_service_token = self.configuration.section(ServiceUserOptions).send_service_user_token
        return self._load(ServiceUserOptions.GROUP) if self._sends_service_token else None

    def _load(self, section: str) -> Credentials | None:
        with self._lock:
            if section not in self._credentials:
                self._credentials[section] = _load_plugin(self.configuration, section)
            return self._credentials[section]


def _load_plugin(configuration: Configuration, section: str) -> Credentials | None:
    common = {option.dest: option for option in loading.get_auth_common_conf_options()}
    configuration.register_oslo([common["auth_section"]], section)
    where = configuration.oslo[section].auth_section or section
    configuration.register_oslo([common["auth_type"]], where)
    name = configuration.oslo[where].auth_type
    if not name:
        return None
    try:
        configuration.register_oslo(loading.get_auth_plugin_conf_options(name), where)
        plugin = loading.load_auth_from_conf_options(configuration.oslo, section)
    except ClientException as error:
        raise BadConfiguration(reason=f"section [{where}]: {error}") from error
    return Credentials(where, plugin)
