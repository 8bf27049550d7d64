"""Booting a guest from another image, its own disks beside it."""

from dataclasses import replace

from kilonova.hypervisor.contracts import GuestSpec, GuestState, ImageFacts, InvalidImage, Progress
from kilonova.hypervisor.libvirt.ground import Ground

_DEVICES = "cdrom", "disk", "floppy"


class Rescuer(Ground):
    """Implements ``contracts.Rescue``."""

    def rescue_image(self) -> str | None:
        return self.options.libvirt.rescue_image_id

    def rescue(self, spec: GuestSpec, image: ImageFacts, progress: Progress) -> GuestState:
        image = self._with_kernel(image)
        folder = self.storage.folder(spec.uuid)
        self.power_of(self.find(spec.uuid), folder, spec.uuid)
        self.storage.fetch(spec, image, progress)
        with self.locks.hold(spec.uuid):
            self._put_out(spec.uuid)
            self.storage.make_rescue(folder, spec, image, progress)
            self.storage.refresh_config_drive(folder, spec)
            domain = self.define(spec, folder, rescue=image)
            domain.start()
            return self.state_of(domain)

    def unrescue(self, spec: GuestSpec) -> GuestState:
        folder = self.storage.folder(spec.uuid)
        with self.locks.hold(spec.uuid):
            self.power_of(self.find(spec.uuid), folder, spec.uuid)
            self._put_out(spec.uuid)
            folder.end_rescue()
            self.storage.refresh_config_drive(folder, spec)
            domain = self.define(spec, folder)
            domain.start()
            return self.state_of(domain)

    def _with_kernel(self, image: ImageFacts) -> ImageFacts:
        """The image, with the host's kernel and ramdisk if it is one of those that have such. Raises InvalidImage."""
        device = image.properties.get("hw_rescue_device", "disk")
        if device not in _DEVICES:
            raise InvalidImage(image_id=image.id, reason=f"hw_rescue_device {device} is not one of {_DEVICES}")
        if image.disk_format != "ami" and "kernel_id" not in image.properties:
            return image
        own = {
            "kernel_id": self.options.libvirt.rescue_kernel_id,
            "ramdisk_id": self.options.libvirt.rescue_ramdisk_id,
        }
        return replace(image, properties={**image.properties, **{name: value for name, value in own.items() if value}})

    def _put_out(self, uuid: str) -> None:
        domain = self.find(uuid)
        if domain is not None:
            domain.pull_plug()
            domain.forget_save()
