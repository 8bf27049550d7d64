"""Compute hosts as operations see them: the hypervisor contracts, answered by an agent over the bus.

A call names its operation. The agent answers at once with ``pending`` while the work goes on, and asking again joins
it; so no message waits for a long image download, and a lost answer costs a repeat, never a second guest.
"""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from kilonova.kit.errors import Unavailable
from kilonova.kit.rpc.contract import Address, Bus, NoAnswer

LOG = logging.getLogger(__name__)
TOPIC = "compute"
_CALL_TIMEOUT = 40.0
"""Twice as long as an agent takes to say that the work goes on: a call that an agent took to its grave costs this."""
_PAUSE = 0.5
"""Before a host that did not answer is asked again."""


class HostDown(Unavailable):
    """The host's agent has been silent for longer than ``service_down_time``."""

    template = "Compute host {host} does not answer and is considered down"


class Hosts:
    """All compute hosts of the deployment."""

    def __init__(
        self,
        bus: Bus,
        is_up: Callable[[str], bool],
        *,
        answer_within: float = _CALL_TIMEOUT,
        pause: float = _PAUSE,
    ) -> None:
        self._bus = bus
        self._is_up = is_up
        self._answer_within = answer_within
        self._pause = pause

    def ask(
        self,
        host: str,
        call: str,
        arguments: Mapping[str, Any],
        *,
        operation: str | None = None,
        revokes: str | None = None,
        wait: float = 3600.0,
    ) -> Any:
        """The result of a contract call on a host, however long it takes up to ``wait`` seconds.

        ``revokes`` names an operation of which the host must not begin anything any more, late as its calls may be.
        Raises HostDown, the driver's own kinds of error, or NoAnswer after ``wait`` seconds.
        """
        payload: dict[str, Any] = {"operation": operation, "call": call, "arguments": dict(arguments)}
        if revokes is not None:
            payload["revokes"] = revokes
        deadline = time.monotonic() + wait
        while True:
            try:
                answer = self._bus.call(Address(TOPIC, host), "host.call", payload, timeout=self._answer_within)
            except NoAnswer:
                if not self._is_up(host):
                    raise HostDown(host=host) from None
                answer = {"pending": True}
                time.sleep(self._pause)
            if not answer.get("pending"):
                return answer["result"]
            if time.monotonic() > deadline:
                raise NoAnswer(topic=TOPIC, server=host, seconds=int(wait))

    def once(self, host: str, call: str, arguments: Mapping[str, Any], *, timeout: float = 30.0) -> Any:
        """A quick call that belongs to no operation (console output, diagnostics). Raises NoAnswer."""
        payload = {"operation": None, "call": call, "arguments": dict(arguments)}
        return self._bus.call(Address(TOPIC, host), "host.call", payload, timeout=timeout)["result"]
