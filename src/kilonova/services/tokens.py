"""Console tokens as conductors redeem them for the proxies, which have no database."""

from collections.abc import Callable, Mapping
from typing import Any

from kilonova.api.servers.consoles import hash_of
from kilonova.kit.clock import Clock, stamp
from kilonova.store import console_tokens
from kilonova.store.cells import Store


class ConsoleTokens:
    """Answers on the bus."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def handlers(self) -> dict[str, Callable[[Mapping[str, Any]], Any]]:
        """Method → handler."""
        return {"console.redeem": self.redeem}

    def redeem(self, payload: Mapping[str, Any]) -> dict[str, Any] | None:
        """What a token stands for; None when it is unknown or expired."""
        now = stamp(self._clock.now())
        for cell in self._store.working:
            with cell.database.read() as connection:
                found = console_tokens.find(connection, hash_of(payload["token"]), now)
            if found is not None:
                return {
                    "host": found["host"],
                    "port": found["port"],
                    "server": found["server_uuid"],
                    "kind": found["kind"],
                    "expires": found["expires_at"],
                    "internal_access_path": found["internal_access_path"],
                }
        return None
