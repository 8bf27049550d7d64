"""Which options of ``nova.conf`` have an effect, whichever process reads it: all processes share one file.

Everything else in the files is told to the operator once, when a process starts, and then ignored.
"""

import logging
import os
import sys
from importlib import import_module

from kilonova.clients.keystone.neighbours import TITLES, RetryOptions
from kilonova.kit import logs
from kilonova.kit.options import Configuration, declared, unknown
from kilonova.kit.sessions import EndpointOptions

LOG = logging.getLogger(__name__)
_MODULES = (
    "agent.options",
    "api.wiring",
    "clients.keystone.limits",
    "clients.keystone.neighbours",
    "console.options",
    "domain.quota",
    "hypervisor.fake.options",
    "hypervisor.libvirt.options",
    "kit.db.engine",
    "kit.http.cors",
    "kit.monitoring",
    "kit.policy",
    "kit.sessions",
    "metadata.options",
    "operations.options",
    "operations.vendor_data",
    "scheduling.options",
    "services.process",
    "services.program",
)
"""Where options are declared."""
_LIBRARIES = frozenset(
    {
        # oslo.messaging
        "control_exchange",
        "conn_pool_min_size",
        "conn_pool_ttl",
        "rpc_conn_pool_size",
        "rpc_ping_enabled",
        "rpc_response_timeout",
    }
)
"""Of ``[DEFAULT]``: read by libraries, or so usual in deployments that a warning would tell nobody anything."""
_RETIRED = {
    ("glance", "api_servers"): "the first of them is used; set [glance] endpoint_override instead",
    ("DEFAULT", "use_neutron"): "networks are always the network service's",
    ("DEFAULT", "firewall_driver"): "the network service filters traffic",
}
"""Options of older releases that may stay in a file."""


def sections() -> list[type]:
    """Every class with options of a section."""
    for name in _MODULES:
        import_module(f"kilonova.{name}")
    ours = [cls for cls in declared() if hasattr(cls, "GROUP") and cls.__module__.startswith("kilonova.")]
    # placement.conf has a [DEFAULT] of its own.
    return [cls for cls in ours if not (cls.GROUP == "DEFAULT" and cls.__module__.startswith("kilonova.placement."))]


def warn_aside(configuration: Configuration) -> None:
    """``warn``, in a child where this process has no databases: it should not load what knows their options."""
    if "sqlalchemy" in sys.modules:
        warn(configuration)
        return
    child = os.fork()
    if child == 0:
        try:
            warn(configuration)
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def retired(configuration: Configuration) -> list[tuple[str, str]]:
    """``[section] option`` of older releases in the files, and what to do about each."""
    return [(f"[{g}] {n}", words) for (g, n), words in _RETIRED.items() if n in configuration.values(g)]


def unknown_options(configuration: Configuration) -> list[str]:
    """``[section] option`` of everything in the files that has no effect here."""
    from kilonova.kit.db.engine import DatabaseOptions  # noqa: PLC0415  # see warn_aside

    logs.register(configuration)
    elsewhere = [("api_database", DatabaseOptions), ("neutron", RetryOptions), ("cinder", RetryOptions)]
    elsewhere += [(section, EndpointOptions) for section in TITLES]
    elsewhere.append(("vendordata_dynamic_auth", EndpointOptions))
    spared = {f"[DEFAULT] {name}" for name in _LIBRARIES} | {f"[{group}] {name}" for group, name in _RETIRED}
    return [name for name in unknown(configuration, sections(), elsewhere) if name not in spared]


def warn(configuration: Configuration) -> None:
    """A line in the log for every option in the files that has no effect here, or will soon have none."""
    for option, words in retired(configuration):
        LOG.warning("Option %s is of an older release: %s", option, words)
    for option in unknown_options(configuration):
        LOG.warning("Option %s is not known and has no effect", option)
