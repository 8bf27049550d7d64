"""Hypervisors: compute nodes as operators see them."""

from kilonova.kit.errors import Invalid, NotFound, Unsupported


class HypervisorNotFound(NotFound):
    """No node has this id."""

    template = "Hypervisor {hypervisor_id} could not be found."


class NoHypervisorMatches(NotFound):
    """No node's name has this text in it."""

    template = "No hypervisor matching '{pattern}' could be found."


class HypervisorMarkerNotFound(Invalid):
    """The marker of a list is no node (400)."""

    template = "marker [{marker}] not found"


class UptimeUnknown(Unsupported):
    """The host's driver does not report how long the host has been up."""

    template = "The hypervisor {hypervisor_id} does not report its uptime"


class HypervisorHostDown(Invalid):
    """The host does not answer now (400)."""

    template = "Compute service of {host} is unavailable at this time."
