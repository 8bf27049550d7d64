"""Booting a guest from another image, its own disks beside it."""

from kilonova.hypervisor.contracts import GuestSpec, GuestState, ImageFacts, Progress
from kilonova.hypervisor.libvirt.ground import Ground


class Rescuer(Ground):
    """Implements ``contracts.Rescue``."""

    def rescue(self, spec: GuestSpec, image: ImageFacts, progress: Progress) -> GuestState:
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

    def _put_out(self, uuid: str) -> None:
        domain = self.find(uuid)
        if domain is not None:
            domain.pull_plug()
            domain.forget_save()
