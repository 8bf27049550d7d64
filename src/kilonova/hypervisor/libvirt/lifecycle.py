"""Making and unmaking guests."""

import contextlib
import shutil
from dataclasses import replace

from kilonova.domain.power import PowerState
from kilonova.hypervisor.contracts import GuestSpec, GuestState, Progress
from kilonova.hypervisor.libvirt import taps
from kilonova.hypervisor.libvirt.connection import DomainGone, LiveDomain
from kilonova.hypervisor.libvirt.ground import Ground
from kilonova.hypervisor.libvirt.snapshots import staging
from kilonova.hypervisor.libvirt.xml import domain as xml
from kilonova.hypervisor.libvirt.xml.tree import read
from kilonova.kit.undo import UndoStack


class Lifecycle(Ground):
    """Implements ``contracts.Guests``."""

    def create(self, spec: GuestSpec, progress: Progress) -> GuestState:
        """Disks, then the definition, then power; a half-made guest found is finished or made anew."""
        with self.locks.hold(spec.uuid), UndoStack() as undo:
            domain = self.find(spec.uuid)
            if domain is not None and domain.power() in {PowerState.RUNNING, PowerState.PAUSED}:
                return self._made(domain, spec)
            if domain is None:  # what this call did not make, it does not unmake
                undo.push(self._remove, spec.uuid, tuple(nic.devname for nic in spec.nics))
                folder = self.storage.make(spec, progress)
                domain = self.define(spec, folder)
            progress("starting the guest")
            domain.start(paused=spec.held)
            state = self._made(domain, spec)
            undo.commit()
            return state

    def _made(self, domain: LiveDomain, spec: GuestSpec) -> GuestState:
        machine = self.plan(spec, self.storage.folder(spec.uuid)).machine
        return replace(self.state_of(domain), machine=machine)

    def rebuild(self, spec: GuestSpec, *, keep_ephemeral: bool, progress: Progress) -> GuestState:
        self.storage.fetch(spec, None if spec.boots_from_volume else spec.image, progress)
        with self.locks.hold(spec.uuid):
            domain = self.find(spec.uuid)
            if domain is not None:
                domain.pull_plug()
                domain.forget_save()
            folder = self.storage.remake(spec, keep_ephemeral=keep_ephemeral, progress=progress)
            progress("starting the guest")
            domain = self.define(spec, folder)
            domain.start()
            return self.state_of(domain)

    def destroy(self, uuid: str) -> None:
        """Files go only after the guest is surely off.

        The plug is pulled before waiting for the guest's turn: that ends a polite shutdown or a snapshot under way.
        """
        domain = self.find(uuid)
        if domain is not None:
            with contextlib.suppress(DomainGone):
                domain.pull_plug()
        with self.locks.hold(uuid):
            self._remove(uuid, ())

    def state(self, uuid: str) -> GuestState:
        return self.state_of(self.need(uuid))

    def _remove(self, uuid: str, devices: tuple[str, ...]) -> None:
        domain = self.find(uuid)
        if domain is not None:
            with contextlib.suppress(DomainGone):
                document = read(xml.Domain, domain.document())
                devices = (*devices, *taps.of(document))
                domain.pull_plug()
                taps.remove_ports(taps.ports_of(document))
                domain.undefine()
        self.shares.unmount(uuid)
        taps.remove_left_over(dict.fromkeys(devices))
        folder = self.storage.folder(uuid)
        if folder.is_of(self.options.host):
            folder.remove()
        shutil.rmtree(staging(self.options.snapshots, uuid), ignore_errors=True)
