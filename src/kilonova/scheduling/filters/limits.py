"""Limits on a host that its aggregates may override; the smallest one that is a number wins."""

from kilonova.scheduling.hosts import HostState


def smallest(host: HostState, key: str, default: int) -> int:
    """The limit that holds for this host: of its aggregates' metadata ``key``, else ``default``."""
    if not host.aggregates:
        return default
    return min((int(value) for value in host.metadata_values(key) if value.isdecimal()), default=default)
