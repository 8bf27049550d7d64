"""Console tokens as conductors redeem them for the proxies, which have no database."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from kilonova.api.servers.consoles import hash_of
from kilonova.kit.clock import Clock, stamp
from kilonova.kit.db.rows import Row
from kilonova.kit.errors import KilonovaError
from kilonova.kit.rpc.contract import NoAnswer
from kilonova.operations.hosts import Hosts
from kilonova.store import console_tokens, servers
from kilonova.store.cells import Store

LOG = logging.getLogger(__name__)
_HOST_SECONDS = 8.0
"""Less than a proxy waits for the answer."""


class ConsoleTokens:
    """Answers on the bus."""

    def __init__(self, store: Store, clock: Clock, hosts: Hosts) -> None:
        self._store = store
        self._clock = clock
        self._hosts = hosts

    def handlers(self) -> dict[str, Callable[[Mapping[str, Any]], Any]]:
        """Method → handler."""
        return {"console.redeem": self.redeem}

    def redeem(self, payload: Mapping[str, Any]) -> dict[str, Any] | None:
        """What a token stands for; None when it is unknown or expired, or its console is not there any more.

        Raises NoAnswer when the guest's host says nothing.
        """
        now = stamp(self._clock.now())
        wanted = hash_of(payload["token"])

        def look(connection: Any) -> tuple[Row | None, Row | None]:
            found = console_tokens.find(connection, wanted, now)
            return found, servers.get(connection, found["server_uuid"]) if found else None

        for found, server in self._store.ask(look).values():
            if found is not None:
                return _target(found) if server is not None and self._is_there(found, server) else None
        return None

    def _is_there(self, token: Row, server: Row) -> bool:
        """Does the guest still have that console? Ports are used again, by guests of other people.

        So a token ends with its guest's stop, move and deletion, however long it was meant to live.
        """
        if not server["host"]:
            return False
        arguments = {"uuid": server["uuid"], "kind": token["kind"]}
        try:
            where = self._hosts.once(server["host"], "console", arguments, timeout=_HOST_SECONDS)
        except NoAnswer:
            raise
        except KilonovaError as error:
            LOG.info("Console of %s on %s: %s", server["uuid"], server["host"], error)
            return False
        return bool((where["host"], where["port"]) == (token["host"], token["port"]))


def _target(found: Row) -> dict[str, Any]:
    return {
        "host": found["host"],
        "port": found["port"],
        "server": found["server_uuid"],
        "kind": found["kind"],
        "expires": found["expires_at"],
        "internal_access_path": found["internal_access_path"],
    }
