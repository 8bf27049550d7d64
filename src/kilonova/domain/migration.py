"""Moves of servers: their kinds, their statuses, and what is wrong with a wish for one."""

from typing import Final

from kilonova.kit.errors import Conflict, Invalid, NotFound

RESIZE: Final = "resize"
COLD: Final = "migration"
LIVE: Final = "live-migration"
EVACUATION: Final = "evacuation"

OPEN: Final = frozenset(
    {
        "accepted",
        "queued",
        "preparing",
        "pre-migrating",
        "migrating",
        "running",
        "post-migrating",
        "finished",
        "confirming",
        "reverting",
        "done",
    }
)
"""Something of the server may still be on the source, or claimed there (``done``: evacuated from a lost host)."""
UNSETTLED: Final = OPEN | {"error", "failed"}
"""A move that failed while it was taken back may have left something, too: it goes with the server."""
LIVE_RUNNING: Final = frozenset({"queued", "preparing", "running", "post-migrating"})
"""Statuses of a live migration under way."""


class MigrationNotFound(NotFound):
    """No such migration, or not one of this server under way (404)."""

    template = "Migration {migration_id} could not be found."


class NotUnderWay(NotFound):
    """A live migration of the server that is not under way (404)."""

    template = "Migration {migration_id} for server {uuid} is not in progress."


class WrongMigrationState(Invalid):
    """The migration is past, or not yet at, the point where this can be asked (400)."""

    template = (
        "Migration {migration_id} state of instance {uuid} is {state}. "
        "Cannot {action} while the migration is in this state."
    )


class SameHost(Invalid):
    """A move to where the server is (400)."""

    template = "Cannot migrate server {uuid} to its current host {host}"


class SameFlavor(Invalid):
    """A resize that changes nothing (400)."""

    template = "When resizing, instances must change flavor!"


class NoDiskLeft(Invalid):
    """A flavor without a disk for a server that has one (400)."""

    template = "Resize to zero disk flavor is not allowed."


class HostInUse(Invalid):
    """Evacuation from a host that lives (400)."""

    template = "Compute service of {host} is still in use."


class NoFinishedMove(Conflict):
    """There is nothing to confirm or revert."""

    template = "Instance {uuid} has no finished migration"


class DiskShrinks(Conflict):
    """Local disks never get smaller: what they hold would be cut off."""

    template = "Unable to resize disk down: {disk} has {old} GiB, the new flavor {new} GiB"


class Aborted(Conflict):
    """Somebody called the live migration off."""

    template = "Live migration of {uuid} was aborted"
