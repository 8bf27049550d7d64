"""The libvirt driver: all its parts as one."""

from collections.abc import Callable

from kilonova.hypervisor.contracts import ImageFacts, Progress
from kilonova.hypervisor.libvirt.consoles import ConsoleReader
from kilonova.hypervisor.libvirt.devices import DevicePlug
from kilonova.hypervisor.libvirt.facts import NodeReporter
from kilonova.hypervisor.libvirt.inside import InsideView
from kilonova.hypervisor.libvirt.live import LiveMover
from kilonova.hypervisor.libvirt.moves import ColdMover
from kilonova.hypervisor.libvirt.rescue import Rescuer
from kilonova.hypervisor.libvirt.snapshots import SnapshotTaker
from kilonova.hypervisor.libvirt.volume_snapshots import VolumeSnapshotTaker


class LibvirtDriver(
    NodeReporter,
    ColdMover,
    LiveMover,
    DevicePlug,
    Rescuer,
    InsideView,
    SnapshotTaker,
    VolumeSnapshotTaker,
    ConsoleReader,
):
    """QEMU and KVM guests through libvirtd. Implements ``contracts.Driver``; safe for many threads."""

    def close(self) -> None:
        """Drop the link to libvirtd; guests run on."""
        self.connection.close()

    def watch(self, tell: Callable[[str], None]) -> None:
        """Implements ``contracts.Lifecycle``."""
        self.connection.watch(tell)

    def cache_image(self, image: ImageFacts, progress: Progress) -> bool:
        """Implements ``contracts.ImageCaching``."""
        known = self.cache.has(image)
        self.cache.get(image, progress)
        return not known

    def prune_images(self) -> tuple[str, ...]:
        """Delete cached images no guest uses, as ``[image_cache]`` allows; returns the files deleted."""
        rules = self.options.image_cache
        if not rules.remove_unused_base_images:
            return ()
        notes = (self.note(domain) for domain in self.connection.domains())
        in_use = {note.image.id for note in notes if note and note.image}
        # A disk may stand on another image than its server's own: one that was unshelved does.
        in_use |= {folder.backing_image(self.tool) for folder in (*self.storage.folders(), *self.storage.asides())}
        return self.cache.prune(in_use, rules.remove_unused_original_minimum_age_seconds)
