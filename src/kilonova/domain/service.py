"""Services of the deployment as operators see them: up or down, enabled or disabled."""

from datetime import datetime, timedelta

from kilonova.kit.clock import stamp
from kilonova.kit.errors import Conflict, Invalid, NotFound

COMPUTE = "nova-compute"
DISABLED_TRAIT = "COMPUTE_STATUS_DISABLED"
"""Placement trait of the providers of a disabled compute service (os-traits); the scheduler asks for its absence."""


class ServiceNotFound(NotFound):
    """No service has this id."""

    template = "Service {service_id} could not be found."


class HostBinaryNotFound(NotFound):
    """The host has no such service."""

    template = "Could not find binary {binary} on host {host}."


class ServiceAmbiguous(Invalid):
    """Several cells have a service with this number; only its UUID says which (400)."""

    template = "Service id {service_id} refers to multiple services. Use microversion 2.53 and its UUID."


class ServiceHostsServers(Conflict):
    """A compute service with servers cannot be deleted."""

    template = (
        "Unable to delete compute service that is hosting instances. Migrate or delete the instances first: "
        "{count} on host {host}"
    )


class ComputeHostNotFound(NotFound):
    """No compute service runs on this host."""

    template = "Compute host {host} could not be found."


def oldest_report(now: datetime, down_time: int) -> str:
    """The moment since which a service must have reported to be up."""
    return stamp(now - timedelta(seconds=down_time))
