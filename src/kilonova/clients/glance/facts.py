"""What Glance says about an image."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image; ``properties`` are the extra properties, all of them strings."""

    id: str
    name: str | None
    status: str
    """``queued``, ``saving``, ``active``, ``killed``, ``deleted``, ``deactivated`` …."""
    owner: str | None = None
    visibility: str = "private"
    disk_format: str | None = None
    container_format: str | None = None
    size: int = 0
    """Bytes; 0 before the data is there."""
    virtual_size: int | None = None
    min_disk: int = 0
    """GiB."""
    min_ram: int = 0
    """MiB."""
    checksum: str | None = None
    """MD5, for ancient images without ``hash_value``."""
    hash_algo: str | None = None
    hash_value: str | None = None
    protected: bool = False
    hidden: bool = False
    tags: tuple[str, ...] = ()
    created_at: str | None = None
    updated_at: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewImage:
    """An image to be made, without data."""

    name: str
    owner: str | None = None
    """The project it is for, when the service makes it."""
    visibility: str = "private"
    disk_format: str | None = None
    container_format: str | None = None
    min_disk: int = 0
    min_ram: int = 0
    tags: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    id: str | None = None
    """None: Glance chooses. A chosen id makes creating repeatable."""
