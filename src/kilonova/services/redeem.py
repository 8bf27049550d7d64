"""Console tokens as the proxies redeem them: over the bus."""

from collections.abc import Callable
from datetime import datetime

from kilonova.console.target import ConsoleTarget
from kilonova.kit.rpc.contract import Address, Bus


def redeemer(bus: Bus) -> Callable[[str], ConsoleTarget | None]:
    """What a console proxy is handed."""

    def redeem(token: str) -> ConsoleTarget | None:
        found = bus.call(Address("conductor"), "console.redeem", {"token": token}, timeout=10)
        if found is None:
            return None
        return ConsoleTarget(
            host=found["host"],
            port=found["port"],
            server=found["server"],
            kind=found["kind"],
            expires=datetime.fromisoformat(found["expires"]),
            internal_access_path=found["internal_access_path"],
        )

    return redeem
