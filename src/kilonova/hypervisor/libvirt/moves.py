"""Moves of guests that are switched off, and guests of lost hosts.

A guest that leaves is set aside: its folder becomes ``<uuid>_resize`` and its definition goes; its disks are copied to
the destination. The folder there says whose it is and which move made it, so that nobody ever removes another's disks,
on shared storage or on the same host.
"""

import contextlib
import shutil
from pathlib import Path

from kilonova.domain.power import PowerState
from kilonova.hypervisor.contracts import (
    Berth,
    GuestMissing,
    GuestSpec,
    GuestState,
    HypervisorFailed,
    Progress,
)
from kilonova.hypervisor.libvirt.connection import LiveDomain
from kilonova.hypervisor.libvirt.folder import GuestFolder
from kilonova.hypervisor.libvirt.images.transport import LocalTransport, SshTransport, Transport
from kilonova.hypervisor.libvirt.lifecycle import Lifecycle
from kilonova.hypervisor.libvirt.power import PowerControl

_ON = {PowerState.RUNNING, PowerState.PAUSED}
_STAYS = frozenset({"owner", "owner.before", "console.log", "disk.config"})
"""Files that are made anew on the destination."""


class ColdMover(Lifecycle, PowerControl):
    """Implements ``contracts.Moves``."""

    def transport(self) -> Transport:
        """How disks get to a host that does not share this one's storage."""
        return SshTransport(rsync=self.options.libvirt.remote_filesystem_transport == "rsync")

    def berth(self, uuid: str, token: str) -> Berth:
        del uuid
        limits, here = self.options.libvirt, self.options.instances
        here.mkdir(mode=0o755, parents=True, exist_ok=True)
        probe = here / f".berth-{token}"
        probe.touch()
        return Berth(
            host=self.options.host,
            address=limits.migration_inbound_addr or self.options.address,
            path=str(here),
            probe=probe.name,
            live_address=limits.live_migration_inbound_addr,
            version=self.connection.version(),
            free_bytes=shutil.disk_usage(here).free,
            arch=self.arch,
        )

    def give(self, spec: GuestSpec, berth: Berth, token: str, timeout: int) -> None:
        with self.locks.hold(spec.uuid):
            folder, aside = self.storage.folder(spec.uuid), self.storage.aside(spec.uuid)
            domain = self.find(spec.uuid)
            if not aside.path.exists():
                self._set_aside(domain, folder, aside, spec.uuid, timeout)
            elif domain is not None:
                return  # on the same host it has been taken already
            self._bring(aside, berth, token, spec.uuid)

    def _set_aside(
        self, domain: LiveDomain | None, folder: GuestFolder, aside: GuestFolder, uuid: str, timeout: int
    ) -> None:
        if domain is None and not folder.path.exists():
            raise GuestMissing(uuid=uuid)
        if domain is not None:
            self._switch_off(domain, timeout if domain.power() is PowerState.RUNNING else 0)
            domain.undefine()
        folder.path.mkdir(exist_ok=True)  # a guest whose disks are all volumes may have none
        folder.path.rename(aside.path)

    def _bring(self, aside: GuestFolder, berth: Berth, token: str, uuid: str) -> None:
        there = Path(berth.path)
        if there != self.options.instances:
            reason = (
                f"instances_path is {there} there and {self.options.instances} here; disks name their images by path"
            )
            raise HypervisorFailed(call="move disks", host=berth.host, reason=reason)
        shared = (there / berth.probe).exists()
        carrier: Transport = LocalTransport() if shared else self.transport()
        target = there / uuid
        carrier.folder(berth.address, target)
        if not shared:
            self._bring_image(aside, berth, carrier)
        for file in sorted(aside.path.iterdir()):
            if file.name not in _STAYS:
                carrier.push(file, berth.address, target / file.name)
        mark = aside.path / "owner.next"
        mark.write_text(f"{berth.host} {token}\n")
        carrier.push(mark, berth.address, target / "owner")
        mark.unlink()

    def _bring_image(self, aside: GuestFolder, berth: Berth, carrier: Transport) -> None:
        """The image that the root disk stands on may be gone from Glance: it comes along if it is missing there."""
        if not aside.root.exists() or aside.format(aside.root) == "raw":
            return
        backing = self.tool.info(aside.root, "qcow2").backing_file
        if backing and not carrier.has(berth.address, Path(backing)):
            carrier.folder(berth.address, Path(backing).parent)
            part = f"{backing}.part"
            carrier.push(Path(backing), berth.address, Path(part))
            carrier.rename(berth.address, Path(part), Path(backing))

    def take(self, spec: GuestSpec, token: str, *, power: bool) -> GuestState:
        with self.locks.hold(spec.uuid):
            folder = self.storage.folder(spec.uuid)
            if folder.owner() != (self.options.host, token):
                raise HypervisorFailed(call="take", host=self.options.host, reason="its disks have not come")
            domain = self.find(spec.uuid)
            if domain is None or domain.power() not in _ON:
                self.storage.fit(folder, spec)
                domain = self.define(spec, folder)
            self._forget_probe(token)
            return self._powered(domain, spec, on=power)

    def _powered(self, domain: LiveDomain, spec: GuestSpec, *, on: bool) -> GuestState:
        if on and domain.power() not in _ON:
            domain.start(paused=spec.held)
        return self.state_of(domain)

    def take_back(self, spec: GuestSpec, token: str, *, power: bool) -> GuestState:
        del token
        with self.locks.hold(spec.uuid):
            folder, aside = self.storage.folder(spec.uuid), self.storage.aside(spec.uuid)
            domain = self.find(spec.uuid)
            if aside.path.exists():
                if domain is not None:
                    domain.pull_plug()
                    domain.undefine()
                domain = None
                folder.remove()
                aside.path.rename(folder.path)
            if domain is None:
                if not folder.path.exists():
                    raise GuestMissing(uuid=spec.uuid)
                self.storage.refresh_config_drive(folder, spec)
                domain = self.define(spec, folder)
            return self._powered(domain, spec, on=power)

    def let_go(self, uuid: str) -> None:
        with self.locks.hold(uuid):
            self.storage.aside(uuid).remove()

    def abandon(self, uuid: str, token: str) -> None:
        with self.locks.hold(uuid):
            self._forget_probe(token)
            folder = self.storage.folder(uuid)
            if folder.owner() != (self.options.host, token):
                return
            if folder.owner_before.exists():  # the disks were found here, and are the lost host's again
                folder.owner_before.rename(folder.owner_file)
            self._remove(uuid, ())

    def _forget_probe(self, token: str) -> None:
        (self.options.instances / f".berth-{token}").unlink(missing_ok=True)

    def kept(self) -> tuple[str, ...]:
        return tuple(folder.path.name.removesuffix("_resize") for folder in self.storage.asides())

    def revive(self, spec: GuestSpec, token: str, *, power: bool, progress: Progress) -> GuestState:
        with self.locks.hold(spec.uuid):
            folder = self.storage.folder(spec.uuid)
            mine = folder.owner() == (self.options.host, token)
            domain = self.find(spec.uuid) if mine else None
            if domain is None:
                if not mine and folder.path.exists():
                    progress("taking up the disks found on shared storage")
                    with contextlib.suppress(FileNotFoundError):
                        folder.owner_file.rename(folder.owner_before)
                    if not folder.owner_before.exists():
                        folder.owner_before.write_text("? \n")
                    self.storage.refresh_config_drive(folder, spec)
                elif not (mine and folder.owner_before.exists()):
                    folder = self.storage.make(spec, progress)
                folder.own(self.options.host, token)
                domain = self.define(spec, folder)
            return self._powered(domain, spec, on=power)
