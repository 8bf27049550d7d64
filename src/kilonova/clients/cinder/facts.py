"""What Cinder says about volumes, snapshots and attachments."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A server that a volume is attached to."""

    server_id: str
    attachment_id: str | None = None
    device: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """One volume."""

    id: str
    status: str
    """``creating``, ``available``, ``reserved``, ``attaching``, ``in-use``, ``detaching``, ``error`` …."""
    size: int
    """GiB."""
    name: str | None = None
    description: str | None = None
    zone: str | None = None
    volume_type: str | None = None
    """Name."""
    snapshot_id: str | None = None
    bootable: bool = False
    multiattach: bool = False
    encrypted: bool = False
    image_metadata: Mapping[str, Any] = field(default_factory=dict)
    """Of the image it was made from: ``image_id``, ``min_disk``, ``size``, and the image's properties; all strings."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    uses: tuple[Use, ...] = ()
    """Attachments that are complete."""
    project_id: str | None = None
    created_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVolume:
    """A volume to be made."""

    size: int
    name: str | None = None
    description: str | None = None
    image_id: str | None = None
    snapshot_id: str | None = None
    volume_type: str | None = None
    zone: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One snapshot."""

    id: str
    status: str
    volume_id: str
    size: int
    """GiB of its volume."""
    name: str | None = None
    description: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    created_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A volume on its way to a server, or there."""

    id: str
    volume_id: str
    server_id: str
    status: str
    """``reserved``, ``attaching``, ``attached``, ``detached`` …."""
    connection_info: Mapping[str, Any] = field(default_factory=dict)
    """``driver_volume_type`` and ``data``; empty until a connector is given."""
