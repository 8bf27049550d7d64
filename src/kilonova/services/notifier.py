"""Tells compute that addresses of servers changed, as Neutron's notifier does: over the external events API."""

import logging
import threading

from keystoneauth1.exceptions import ClientException

from kilonova.kit.sessions import Sessions

LOG = logging.getLogger(__name__)


class Notifier:
    """Sends in the background: a change of networks does not wait for compute."""

    def __init__(self, sessions: Sessions, compute_url: str) -> None:
        self._session = sessions.session(sessions.options("neutron"))
        found = sessions.credentials("neutron")
        self._auth = found.plugin if found is not None else None
        self._url = f"{compute_url}/v2.1/os-server-external-events"

    def changed(self, servers: set[str]) -> None:
        """``network-changed`` for each."""
        threading.Thread(target=self._send, args=(sorted(servers),), name="notify-compute", daemon=True).start()

    def _send(self, servers: list[str]) -> None:
        events = [{"name": "network-changed", "server_uuid": uuid} for uuid in servers]
        try:
            self._session.post(self._url, json={"events": events}, auth=self._auth)
        except ClientException as error:
            LOG.warning("Compute could not be told that addresses of %s changed: %s", ", ".join(servers), error)
