"""What compute asks of Glance."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from kilonova.clients.glance.facts import Image, NewImage
from kilonova.kit.context import Context
from kilonova.kit.errors import Conflict, NotFound, Unavailable


class ImageNotFound(NotFound):
    """No such image, or not for this caller."""

    template = "Image {image_id} could not be found."


class ImageHasNoData(NotFound):
    """Nothing was uploaded to the image yet."""

    template = "Image {image_id} has no data (status {status})"


class ImageCorrupt(Unavailable):
    """What came is not what Glance's checksum says."""

    template = "The data of image {image_id} arrived damaged: {algorithm} is {found}, Glance says {expected}"


class ImageTooLong(Unavailable):
    """More comes than Glance said: the disk it would fill is everybody's."""

    template = "Image {image_id} has more data than the {size} bytes that Glance says"


class ImageNotQueued(Conflict):
    """Data can be uploaded once."""

    template = "Image {image_id} is {status}; data can only be uploaded to a queued image"


class Glance(Protocol):
    """``context``: whose eyes; None (or a context without a token) is the service, which sees every image.

    Every call raises the Unavailable kinds of ``clients.keystone.errors``; those with an image id raise ImageNotFound.
    """

    def url(self) -> str:
        """Where images are, without a version."""

    def get(self, context: Context | None, image_id: str) -> Image: ...

    def list(self, context: Context | None, query: Sequence[tuple[str, str]] = ()) -> tuple[Image, ...]:
        """One page; ``query``: pairs of GET /v2/images (name, status, limit, marker, sort_key, member_status …)."""

    def create(self, context: Context | None, new: NewImage) -> Image:
        """A queued image. With ``new.id`` set, an image that is already there is returned."""

    def update(
        self,
        context: Context | None,
        image_id: str,
        changes: Mapping[str, str | int | None],
        remove: Sequence[str] = (),
    ) -> Image:
        """Set (None: unset) attributes and properties; ``remove`` drops properties that are there."""

    def delete(self, context: Context | None, image_id: str) -> bool:
        """False when there was none. Raises Forbidden for a protected image."""

    def download(self, image_id: str, target: Path) -> None:
        """As the service: verified data, put in place at once. Raises ImageHasNoData, ImageCorrupt, ImageTooLong."""

    def upload(self, image_id: str, source: Path, disk_format: str) -> None:
        """As the service: the data of a queued image; done already is fine. Raises ImageNotQueued."""
