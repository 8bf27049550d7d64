"""What compute asks of Cinder."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from kilonova.clients.cinder.facts import Attachment, NewVolume, Snapshot, Volume
from kilonova.kit.context import Context
from kilonova.kit.errors import Conflict, Invalid, NotFound, OverQuota


class VolumeNotFound(NotFound):
    """No such volume, or not for this caller."""

    template = "Volume {volume_id} could not be found."


class SnapshotNotFound(NotFound):
    """No such snapshot, or not for this caller."""

    template = "Snapshot {snapshot_id} could not be found."


class AttachmentNotFound(NotFound):
    """No such attachment any more."""

    template = "Volume attachment {attachment_id} could not be found."


class VolumeNotUsable(Invalid):
    """The volume's state does not allow it; the words are Cinder's."""

    template = "Invalid volume: {reason}"


class VolumeInUse(Conflict):
    """Cinder's present state does not allow it."""

    template = "Volume {volume_id}: {reason}"


class VolumeLimitExceeded(OverQuota):
    """Cinder's quota of volumes, snapshots or gigabytes."""

    template = "Volume resource quota exceeded: {reason}"


Query = Sequence[tuple[str, str]]


class Cinder(Protocol):
    """``context``: whose eyes; None (or a context without a token) is the service, which sees every volume.

    Every call raises the Unavailable kinds of ``clients.keystone.errors``; those with an id raise its NotFound.
    """

    def get(self, context: Context | None, volume_id: str) -> Volume: ...

    def list(self, context: Context | None, query: Query = ()) -> tuple[Volume, ...]:
        """One page; ``query``: pairs of GET /volumes/detail (limit, marker, offset, all_tenants, name …)."""

    def create(self, context: Context | None, new: NewVolume) -> Volume:
        """Begun, not yet available. Raises VolumeLimitExceeded; RemoteInvalid, RemoteNotFound for its source."""

    def delete(self, context: Context | None, volume_id: str) -> bool:
        """Begun; False when there was none. Raises VolumeNotUsable (attached, has snapshots)."""

    def has_type(self, context: Context | None, name: str) -> bool:
        """Is there a volume type of this name or id?"""

    def snapshot(self, context: Context | None, snapshot_id: str) -> Snapshot: ...

    def snapshots(self, context: Context | None, query: Query = ()) -> tuple[Snapshot, ...]:
        """One page; ``query``: pairs of GET /snapshots/detail."""

    def create_snapshot(
        self, context: Context | None, volume_id: str, name: str, description: str = "", *, force: bool = False
    ) -> Snapshot:
        """Begun. ``force``: of an attached volume, too. Raises VolumeLimitExceeded, VolumeNotUsable."""

    def delete_snapshot(self, context: Context | None, snapshot_id: str) -> bool:
        """Begun; False when there was none."""

    # -- attachments, always as the service --
    def attachments(self, server_id: str) -> tuple[Attachment, ...]:
        """All attachments of a server, also those that are only reserved. Without connection information."""

    def attachment(self, attachment_id: str) -> Attachment: ...

    def reserve(self, volume_id: str, server_id: str, connector: Mapping[str, Any] | None = None) -> Attachment:
        """A new attachment: nobody else gets the volume now (but for multiattach). Raises VolumeNotUsable.

        With a ``connector`` it is connected at once, which is the only way beside another connected one.
        """

    def connect(self, attachment_id: str, connector: Mapping[str, Any]) -> Attachment:
        """Export the volume to the host of ``connector`` (with ``mountpoint``); gives the connection information."""

    def complete(self, attachment_id: str) -> None:
        """The server has the volume now; repeating is fine."""

    def release(self, attachment_id: str) -> bool:
        """Delete the attachment; False when there was none."""

    # -- rare --
    def snapshot_status(self, snapshot_id: str, status: str, progress: str | None = None) -> None:
        """How far a snapshot that compute makes or removes has come. Raises SnapshotNotFound."""

    def migrated(self, old_volume: str, new_volume: str, *, error: bool) -> str:
        """A swap that Cinder asked for is over; returns the id that the volume has from now on."""

    def reimage(self, volume_id: str, image_id: str) -> None:
        """Begin to write the image over the volume (Cinder 3.68); its end comes as ``volume-reimaged``."""
