"""Moves of guests that exist only as records."""

from dataclasses import replace

from kilonova.domain.migration import Aborted
from kilonova.domain.power import PowerState
from kilonova.hypervisor.contracts import (
    Berth,
    GuestMissing,
    GuestSpec,
    GuestState,
    LivePlan,
    Progress,
    Report,
)
from kilonova.hypervisor.fake.ground import FakeGround
from kilonova.hypervisor.fake.state import Record

_MIB = 1024**2
_TICKS = 100
_ON, _OFF, _PAUSED = PowerState.RUNNING, PowerState.SHUTDOWN, PowerState.PAUSED


class FakeMoves(FakeGround):
    """Implements ``contracts.Moves`` and ``contracts.LiveMoves``.

    Other hosts' records are out of reach: what is sent is as good as arrived.
    """

    def berth(self, uuid: str, token: str) -> Berth:
        self._meet("berth", uuid)
        return Berth(host=self._host, address=self._address, path="/fake", probe=token, arch="x86_64")

    def give(self, spec: GuestSpec, berth: Berth, token: str, timeout: int) -> None:
        del timeout
        self._meet("give", spec.uuid, spec.display_name)
        with self._lock(spec.uuid):
            if self._aside(spec.uuid) is not None:
                return
            found = self._record(spec.uuid)
            if found is None:
                raise GuestMissing(uuid=spec.uuid)
            self._guests.put(replace(found, power=_OFF, aside=True, move=token))
            self._guests.drop(spec.uuid)
            del berth

    def take(self, spec: GuestSpec, token: str, *, power: bool) -> GuestState:
        self._meet("take", spec.uuid, spec.display_name)
        return self._appear(spec, token, _started(spec) if power else _OFF)

    def take_back(self, spec: GuestSpec, token: str, *, power: bool) -> GuestState:
        del token
        self._meet("take_back", spec.uuid, spec.display_name)
        with self._lock(spec.uuid):
            found = self._aside(spec.uuid) or self._record(spec.uuid)
            if found is None:
                raise GuestMissing(uuid=spec.uuid)
            after = _started(spec) if power else _OFF
            back = replace(found, power=after, boots=found.boots + power, aside=False, move="")
            self._guests.put(back)
            self._guests.drop(f"{spec.uuid}_resize")
            return back.guest()

    def let_go(self, uuid: str) -> None:
        self._meet("let_go", uuid)
        self._guests.drop(f"{uuid}_resize")

    def abandon(self, uuid: str, token: str) -> None:
        self._meet("abandon", uuid)
        with self._lock(uuid):
            found = self._record(uuid)
            if found is not None and found.move == token:
                self._guests.drop(uuid)

    def kept(self) -> tuple[str, ...]:
        return tuple(record.uuid for record in self._guests.aside())

    def revive(self, spec: GuestSpec, token: str, *, power: bool, progress: Progress) -> GuestState:
        self._meet("revive", spec.uuid, spec.display_name)
        progress("making the guest anew")
        return self._appear(spec, token, _started(spec) if power else _OFF)

    # -- live --
    def check(self, spec: GuestSpec, berth: Berth, *, block: bool | None, over_commit: bool) -> LivePlan:
        del over_commit
        self._meet("check", spec.uuid, spec.display_name)
        found = self._record(spec.uuid)
        if found is None:
            raise GuestMissing(uuid=spec.uuid)
        return LivePlan(berth=berth, block=bool(block), paused=found.power is _PAUSED)

    def prepare(self, spec: GuestSpec, token: str, plan: LivePlan, progress: Progress) -> None:
        del token, plan
        self._meet("prepare", spec.uuid, spec.display_name)
        progress("ready for the guest")

    def send(self, spec: GuestSpec, token: str, plan: LivePlan, report: Report) -> None:
        del token, plan
        self._meet("send", spec.uuid, spec.display_name)
        total = spec.memory_mb * _MIB
        for tick in range(0, _TICKS + 1, _TICKS if self.faults.quick("tick") else 1):
            done = total * tick // _TICKS
            counters = {"memory_total": total, "memory_processed": done, "memory_remaining": total - done}
            wish = report({**counters, "disk_total": 0, "disk_processed": 0, "disk_remaining": 0})
            if wish["cancel"]:
                raise Aborted(uuid=spec.uuid)
            if wish["force"]:
                break
            self._meet("tick", spec.uuid, spec.display_name)
        self._guests.drop(spec.uuid)

    def arrived(self, spec: GuestSpec, token: str, plan: LivePlan) -> GuestState:
        self._meet("arrived", spec.uuid, spec.display_name)
        return self._appear(spec, token, _PAUSED if plan.paused else _ON)

    def leave(self, uuid: str, devices: tuple[str, ...]) -> None:
        del devices
        self._meet("leave", uuid)

    # -- own --
    def _meet(self, call: str, uuid: str, name: str = "") -> None:
        found = self._record(uuid)
        self.faults.meet(call, self._host, name or (found.display_name if found else ""))

    def _record(self, uuid: str) -> Record | None:
        return self._guests.get(uuid)

    def _aside(self, uuid: str) -> Record | None:
        return self._guests.get(f"{uuid}_resize")

    def _appear(self, spec: GuestSpec, token: str, power: PowerState) -> GuestState:
        with self._lock(spec.uuid):
            found = self._record(spec.uuid)
            if found is None or found.move != token:
                found = replace(
                    Record.of(spec, self._node(spec)), power=power, boots=int(power is not _OFF), move=token
                )
                self._guests.put(found)
            return found.guest()


def _started(spec: GuestSpec) -> PowerState:
    return _PAUSED if spec.held else _ON
