"""Slowness and failures to order."""

import threading
from dataclasses import dataclass
from typing import Self

from kilonova.hypervisor.contracts import HypervisorFailed, HypervisorUnavailable
from kilonova.kit.clock import Clock, SystemClock
from kilonova.kit.errors import Invalid, KilonovaError

CALLS = frozenset(
    {
        "nodes",
        "guests",
        "create",
        "destroy",
        "state",
        "start",
        "stop",
        "reboot",
        "pause",
        "unpause",
        "suspend",
        "resume",
        "connector",
        "attach_volume",
        "detach_volume",
        "swap_volume",
        "extend_volume",
        "snapshot_volume",
        "merge_volume",
        "attach_nic",
        "cache_image",
        "detach_nic",
        "rebuild",
        "rescue",
        "unrescue",
        "diagnostics",
        "inject_nmi",
        "set_password",
        "snapshot",
        "output",
        "endpoint",
        "berth",
        "give",
        "take",
        "take_back",
        "let_go",
        "abandon",
        "revive",
        "check",
        "prepare",
        "send",
        "arrived",
        "leave",
        "tick",
    }
)
"""Names of the driver's calls (``tick``: a hundredth of a live migration); ``*`` means all of them."""


class BadFault(Invalid):
    """A rule that cannot be understood; the message quotes it."""

    template = "Fake driver: {field} has {rule!r}: {reason}"


@dataclass(slots=True)
class _Failure:
    call: str
    prefix: str
    left: int | None
    """Times still to fail; None for always."""
    unavailable: bool
    error: KilonovaError | None

    def hits(self, call: str, name: str) -> bool:
        return self.left != 0 and self.call in {call, "*"} and name.startswith(self.prefix)


class FakeFaults:
    """What shall go wrong, in one fake driver; may be changed while the driver works, from any thread."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._slow: dict[str, float] = {}
        self._failures: list[_Failure] = []

    @classmethod
    def parse(cls, slow: str, fail: str, clock: Clock | None = None) -> Self:
        """From options: ``slow`` as ``call=seconds,…``; ``fail`` as ``call[:times[:name prefix]],…``.

        ``times`` is a number, or ``always`` (also when left out). Raises BadFault.
        """
        faults = cls(clock)
        for rule in filter(None, map(str.strip, slow.split(","))):
            call, _, seconds = rule.partition("=")
            try:
                faults.slow(call, float(seconds))
            except ValueError as error:
                raise BadFault(field="slow", rule=rule, reason="seconds must be a number") from error
        for rule in filter(None, map(str.strip, fail.split(","))):
            call, times, prefix = [*rule.split(":", 2), "", ""][:3]
            if times not in {"", "always"} and not times.isdigit():
                raise BadFault(field="fail", rule=rule, reason="times must be a number or 'always'")
            faults.fail(call, times=int(times) if times.isdigit() else None, prefix=prefix)
        return faults

    def slow(self, call: str, seconds: float) -> None:
        """``call`` takes this long from now on; 0 makes it quick again."""
        self._known("slow", call)
        with self._lock:
            self._slow[call] = seconds

    def fail(
        self,
        call: str,
        *,
        times: int | None = None,
        prefix: str = "",
        unavailable: bool = False,
        error: KilonovaError | None = None,
    ) -> None:
        """``call`` fails ``times`` times (None: always) for servers whose display name starts with ``prefix``.

        ``unavailable``: as if the hypervisor did not answer, instead of refusing; ``error``: with this.
        """
        self._known("fail", call)
        with self._lock:
            self._failures.append(_Failure(call, prefix, times, unavailable, error))

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        with self._lock:
            self._slow.clear()
            self._failures.clear()

    def quick(self, call: str) -> bool:
        """Nothing makes ``call`` slow."""
        return not self._slow.get(call)

    def meet(self, call: str, host: str, name: str = "") -> None:
        """Wait as told, then raise as told. Called by the driver at the start of each call."""
        if not self._slow and not self._failures:
            return
        with self._lock:
            seconds = self._slow.get(call, self._slow.get("*", 0.0))
        if seconds:
            self._clock.sleep(seconds)
        error = self._take(call, host, name)
        if error is not None:
            raise error

    def _take(self, call: str, host: str, name: str) -> KilonovaError | None:
        with self._lock:
            for failure in self._failures:
                if failure.hits(call, name):
                    if failure.left is not None:
                        failure.left -= 1
                    if failure.error is not None:
                        return failure.error
                    if failure.unavailable:
                        return HypervisorUnavailable(host=host, reason="told to be away")
                    return HypervisorFailed(call=call, host=host, reason="told to fail")
        return None

    @staticmethod
    def _known(field: str, call: str) -> None:
        if call != "*" and call not in CALLS:
            raise BadFault(field=field, rule=call, reason=f"not a call; calls are {', '.join(sorted(CALLS))}")
