"""The image service's parts, for its handlers."""

from dataclasses import dataclass

from kilonova.kit.clock import Clock
from kilonova.lab.images.files import ImageFiles
from kilonova.lab.images.store.images import ImageStore


@dataclass(frozen=True)
class Images:
    """Records, data and time."""

    store: ImageStore
    files: ImageFiles
    clock: Clock
