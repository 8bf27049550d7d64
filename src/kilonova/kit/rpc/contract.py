"""The narrow interface that both buses implement.

A *topic* is a kind of service (``conductor``, ``compute``); a *server* one process of it. A call without a server
goes to any one process of the topic. Payloads and results are JSON values. An error of the other side arrives as the
same kind of error with the same words.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from kilonova.kit import errors, metrics
from kilonova.kit.errors import KilonovaError, Kind, Unavailable

Payload = Mapping[str, Any]
Handler = Callable[[Payload], Any]


@dataclass(frozen=True)
class Address:
    """Where a message goes."""

    topic: str
    server: str | None = None


class NoAnswer(Unavailable):
    """Nobody took the call or answered it in time. The work may still be going on."""

    template = "No answer from {topic} on {server} within {seconds} seconds"


class BrokerAway(Unavailable):
    """The message could not be sent: it says nothing about the one it was for."""

    template = "The message broker cannot be reached: {reason}"


class Listener(Protocol):
    """A running server of one topic."""

    def stop(self) -> None:
        """Take no more messages; running handlers finish."""


class Bus(Protocol):
    """What every room with business on the bus is handed."""

    def call(self, address: Address, method: str, payload: Payload, *, timeout: float) -> Any:
        """The handler's result. Raises NoAnswer, BrokerAway, or the handler's own kind of error."""

    def cast(self, address: Address, method: str, payload: Payload) -> None:
        """Send and forget. Losing it must only ever cost time."""

    def serve(self, address: Address, handlers: Mapping[str, Handler], *, threads: int = 16) -> Listener:
        """Answer calls and casts to ``address`` (which names a server) and to its topic at large."""

    def check(self) -> None:
        """Raises Unavailable when messages cannot be sent now."""

    def close(self) -> None:
        """Drop connections."""


_KINDS: dict[Kind, type[KilonovaError]] = {
    "not_found": errors.NotFound,
    "conflict": errors.Conflict,
    "invalid": errors.Invalid,
    "unauthorized": errors.Unauthorized,
    "forbidden": errors.Forbidden,
    "over_quota": errors.OverQuota,
    "unavailable": errors.Unavailable,
    "unsupported": errors.Unsupported,
    "gone": errors.Gone,
    "internal": KilonovaError,
}


_CALLS = metrics.counter("kilonova_rpc_calls", "Calls to other services over the bus", "topic", "method", "outcome")


def counted(address: Address, method: str, ask: Callable[[], Any]) -> Any:
    """The result of ``ask``, which calls ``method``."""
    outcome = "failed"
    try:
        result = ask()
        outcome = "answered"
    except NoAnswer:
        outcome = "unanswered"
        raise
    finally:
        _CALLS.add(address.topic, method, outcome)
    return result


def wrap_error(error: Exception) -> dict[str, Any]:
    """An error as a reply."""
    kind = error.kind if isinstance(error, KilonovaError) else "internal"
    words = str(error) or type(error).__name__
    if not isinstance(error, KilonovaError):
        words = f"{type(error).__name__}: {words}"
    return {"error": {"kind": kind, "type": type(error).__name__, "message": words}}


def unwrap(reply: Any) -> Any:
    """The result of a reply; raises the error it carries."""
    if "error" in reply:
        failure = reply["error"]
        error = _KINDS.get(failure["kind"], KilonovaError)(failure["message"])
        error.fields["remote_type"] = failure["type"]
        raise error
    return reply["result"]
