"""Serves the hypervisor contracts over the bus: work is joined by operation, answered when done, ``pending`` before.

Asking twice for the same operation and call never runs it twice at the same time; a finished outcome is remembered
for a while, so that an answer that was lost is simply asked for again. Operations' calls on one guest run one after
the other in the order in which they came: a guest is never removed while it is still being made.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from kilonova.agent import moves
from kilonova.agent.moves import Tell, say
from kilonova.hypervisor import contracts
from kilonova.kit import codec, logs
from kilonova.kit.errors import Conflict, Invalid, Unavailable, Unsupported

LOG = logging.getLogger(__name__)
_ANSWER_WITHIN = 20.0
_REMEMBERED = 2000


class UnknownCall(Invalid):
    """The conductor asked for something this host has never heard of."""

    template = "Compute hosts know no call named {call}"


class Revoked(Conflict):
    """The operation was taken back before this call of it arrived."""

    template = "Operation {operation} was taken back"


class Stopping(Unavailable):
    """The service ends; the next one on this host will do the work."""


class Desk:
    """The handlers of one compute service."""

    def __init__(
        self,
        driver: Any,
        *,
        threads: int = 32,
        answer_within: float = _ANSWER_WITHIN,
        tell: Tell = lambda _migration, _counters: {"cancel": False, "force": False},
        detaching: Callable[[str, str], None] = lambda _uuid, _volume: None,
    ) -> None:
        self._driver = driver
        self._detaching = detaching
        self._answer_within = answer_within
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="guest")
        self._known: OrderedDict[tuple[str, str], Future[Any]] = OrderedDict()
        self._last: dict[str, Future[Any]] = {}
        """Guest → the newest call on it that is not done."""
        self._revoked: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()
        self._calls: dict[str, Callable[[Mapping[str, Any]], Any]] = {
            "create": self._create,
            "destroy": lambda a: driver.destroy(a["uuid"]),
            "state": lambda a: driver.state(a["uuid"]),
            "start": lambda a: driver.start(_spec(a)),
            "stop": lambda a: driver.stop(a["uuid"], a["timeout"]),
            "reboot": lambda a: driver.reboot(_spec(a), hard=a["hard"], timeout=a["timeout"]),
            "pause": lambda a: driver.pause(a["uuid"]),
            "unpause": lambda a: driver.unpause(a["uuid"]),
            "suspend": lambda a: driver.suspend(a["uuid"]),
            "resume": lambda a: driver.resume(_spec(a)),
            "connector": lambda _a: driver.connector(),
            "attach_volume": lambda a: driver.attach_volume(_spec(a), _volume(a["volume"])),
            "detach_volume": self._detach_volume,
            "swap_volume": lambda a: driver.swap_volume(a["uuid"], _volume(a["old"]), _volume(a["new"])),
            "extend_volume": lambda a: driver.extend_volume(a["uuid"], _volume(a["volume"]), a["size_gb"]),
            "snapshot_volume": lambda a: self._able(contracts.VolumeSnapshots).snapshot_volume(
                a["uuid"], _volume(a["volume"]), a["new_file"]
            ),
            "merge_volume": lambda a: self._able(contracts.VolumeSnapshots).merge_volume(
                a["uuid"], _volume(a["volume"]), a["top"], a["into"]
            ),
            "attach_nic": lambda a: driver.attach_nic(_spec(a), codec.unpack(a["nic"], contracts.Nic)),
            "detach_nic": lambda a: driver.detach_nic(a["uuid"], a["mac"]),
            "rebuild": lambda a: driver.rebuild(_spec(a), keep_ephemeral=a["keep_ephemeral"], progress=say),
            "rescue": lambda a: driver.rescue(_spec(a), codec.unpack(a["image"], contracts.ImageFacts), say),
            "rescue_image": lambda _a: driver.rescue_image(),
            "unrescue": lambda a: driver.unrescue(_spec(a)),
            "diagnostics": lambda a: driver.diagnostics(a["uuid"]),
            "inject_nmi": lambda a: driver.inject_nmi(a["uuid"]),
            "set_password": lambda a: driver.set_password(a["uuid"], a["user"], a["password"]),
            "snapshot": lambda a: driver.snapshot(a["uuid"], a["image_id"], say),
            "output": self._output,
            **moves.calls(driver, tell),
            "console": self._console,
            "maintenance": lambda a: self._able(contracts.HostControl).maintenance(on=a["on"]),
            "host_power": lambda a: self._able(contracts.HostControl).host_power(a["action"]),
            "cache_image": lambda a: self._able(contracts.ImageCaching).cache_image(
                codec.unpack(a["image"], contracts.ImageFacts), say
            ),
        }

    def handlers(self) -> dict[str, Callable[[Mapping[str, Any]], Any]]:
        """What the bus serves."""
        return {"host.call": self.call}

    def call(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """``{"result": …}``, or ``{"pending": true}`` while the work goes on. Raises the driver's errors."""
        name = payload["call"]
        work = self._calls.get(name)
        if work is None:
            raise UnknownCall(call=name)
        arguments = payload["arguments"]
        operation = payload.get("operation")
        if operation is None:
            return {"result": codec.pack(work(arguments))}
        future = self._join((operation, name), work, arguments, payload.get("revokes"))
        done, _ = wait([future], timeout=self._answer_within)
        if not done:
            return {"pending": True}
        try:
            return {"result": codec.pack(future.result())}
        except Exception:
            # A failure is told once and then forgotten: asking again is a wish to try again.
            self._forget((operation, name), future)
            raise

    def stop(self) -> None:
        """Let running work finish."""
        self._pool.shutdown(wait=True)

    def _join(
        self,
        key: tuple[str, str],
        work: Callable[[Mapping[str, Any]], Any],
        arguments: Mapping[str, Any],
        revokes: str | None,
    ) -> "Future[Any]":
        with self._lock:
            if revokes is not None:
                self._revoked[revokes] = None
                if len(self._revoked) > _REMEMBERED:
                    self._revoked.popitem(last=False)
            future = self._known.get(key)
            if future is not None:
                return future
            if key[0] in self._revoked:
                raise Revoked(operation=key[0])
            future = self._known[key] = Future()
            self._trim()
            guest = _guest(arguments)
            before, self._last[guest] = self._last.get(guest), future
        future.add_done_callback(lambda done: self._passed(guest, done))
        start = logs.inheriting(self._start)
        if before is None:
            start(future, work, arguments)
        else:
            before.add_done_callback(lambda _done: start(future, work, arguments))
        return future

    def _start(
        self, future: "Future[Any]", work: Callable[[Mapping[str, Any]], Any], arguments: Mapping[str, Any]
    ) -> None:
        try:
            self._pool.submit(logs.inheriting(_fulfil), future, work, arguments)
        except RuntimeError as error:  # the agent is stopping; the conductor will ask the next one
            future.set_exception(Stopping(f"This compute service is stopping: {error}"))

    def _passed(self, guest: str, future: "Future[Any]") -> None:
        with self._lock:
            if self._last.get(guest) is future:
                del self._last[guest]

    def _trim(self) -> None:
        while len(self._known) > _REMEMBERED:
            oldest = next((key for key, future in self._known.items() if future.done()), None)
            if oldest is None:
                return
            del self._known[oldest]

    def _forget(self, key: tuple[str, str], future: "Future[Any]") -> None:
        with self._lock:
            if self._known.get(key) is future:
                del self._known[key]

    def _able(self, capability: type[Any]) -> Any:
        """The driver, if it has the capability. Raises Unsupported."""
        if not isinstance(self._driver, capability):
            raise Unsupported("The virtualization driver of this host cannot do that")
        return self._driver

    def _create(self, arguments: Mapping[str, Any]) -> Any:
        started = time.monotonic()
        state = self._driver.create(_spec(arguments), say)
        LOG.info("Built %s in %.1f s", state.uuid, time.monotonic() - started)
        return state

    def _detach_volume(self, arguments: Mapping[str, Any]) -> None:
        volume = _volume(arguments["volume"])
        self._detaching(arguments["uuid"], volume.volume_id)
        self._driver.detach_volume(arguments["uuid"], volume)

    def _output(self, arguments: Mapping[str, Any]) -> str:
        data: bytes = self._driver.output(arguments["uuid"], arguments["limit"])
        return data.decode("utf-8", errors="replace")

    def _console(self, arguments: Mapping[str, Any]) -> Any:
        if not isinstance(self._driver, contracts.Console):
            raise Unsupported("This hypervisor offers no consoles")
        return self._driver.endpoint(arguments["uuid"], arguments["kind"])


def _fulfil(future: "Future[Any]", work: Callable[[Mapping[str, Any]], Any], arguments: Mapping[str, Any]) -> None:
    try:
        result = work(arguments)
    except BaseException as error:  # noqa: BLE001  # it belongs to whoever asks for the outcome
        future.set_exception(error)
    else:
        future.set_result(result)


def _guest(arguments: Mapping[str, Any]) -> str:
    return str(arguments["spec"]["uuid"] if "spec" in arguments else arguments["uuid"])


def _spec(arguments: Mapping[str, Any]) -> contracts.GuestSpec:
    return codec.unpack(arguments["spec"], contracts.GuestSpec)


def _volume(argument: Any) -> contracts.VolumeDisk:
    return codec.unpack(argument, contracts.VolumeDisk)
