"""Power states of guests."""

from kilonova.domain.power import PowerState
from kilonova.hypervisor.contracts import GuestSpec, GuestState
from kilonova.hypervisor.libvirt.connection import LiveDomain
from kilonova.hypervisor.libvirt.ground import Ground
from kilonova.hypervisor.transitions import must_act

_POLL_S = 0.2
_PRESS_AGAIN_S = 10.0
"""A guest still booting loses the first press of its power button."""


class PowerControl(Ground):
    """Implements ``contracts.Power``."""

    def start(self, spec: GuestSpec) -> GuestState:
        with self.locks.hold(spec.uuid):
            self.recall(spec.uuid)
            folder = self.storage.folder(spec.uuid)
            domain = self.find(spec.uuid)
            if not must_act("start", spec.uuid, self.power_of(domain, folder, spec.uuid)):
                return self.state_of(self.need(spec.uuid))
            return self._boot(spec)

    def stop(self, uuid: str, timeout: int) -> GuestState:
        with self.locks.hold(uuid):
            domain = self.need(uuid)
            state = domain.power()
            if must_act("stop", uuid, state):
                self._switch_off(domain, timeout if state is PowerState.RUNNING else 0)
            self.shares.unmount(uuid)
            return self.state_of(domain)

    def reboot(self, spec: GuestSpec, *, hard: bool, timeout: int) -> GuestState:
        with self.locks.hold(spec.uuid):
            self.recall(spec.uuid)
            folder = self.storage.folder(spec.uuid)
            domain = self.find(spec.uuid)
            state = self.power_of(domain, folder, spec.uuid)
            must_act("reboot_hard" if hard else "reboot_soft", spec.uuid, state)
            if domain is not None:
                self._switch_off(domain, 0 if hard else timeout)
                domain.forget_save()
            return self._boot(spec)

    def pause(self, uuid: str) -> GuestState:
        with self.locks.hold(uuid):
            domain = self.need(uuid)
            if must_act("pause", uuid, domain.power()):
                domain.pause()
            return self.state_of(domain)

    def unpause(self, uuid: str) -> GuestState:
        with self.locks.hold(uuid):
            domain = self.need(uuid)
            if must_act("unpause", uuid, domain.power()):
                domain.unpause()
            return self.state_of(domain)

    def suspend(self, uuid: str) -> GuestState:
        with self.locks.hold(uuid):
            domain = self.need(uuid)
            if must_act("suspend", uuid, domain.power()):
                domain.save()
            return self.state_of(domain)

    def resume(self, spec: GuestSpec) -> GuestState:
        with self.locks.hold(spec.uuid):
            domain = self.need(spec.uuid)
            if must_act("resume", spec.uuid, domain.power()):
                domain.start()
            return self.state_of(domain)

    def _boot(self, spec: GuestSpec) -> GuestState:
        folder = self.storage.folder(spec.uuid)
        self.storage.refresh_config_drive(folder, spec)
        domain = self.define(spec, folder)
        domain.start()
        return self.state_of(domain)

    def _switch_off(self, domain: LiveDomain, timeout: int) -> None:
        """Ask for ``timeout`` seconds, then pull the plug."""
        ends = self.clock.monotonic() + timeout
        press_at = self.clock.monotonic()
        while self.clock.monotonic() < ends and domain.active():
            if self.clock.monotonic() >= press_at:
                domain.shut_down()
                press_at += _PRESS_AGAIN_S
            self.clock.sleep(_POLL_S)
        domain.pull_plug()
