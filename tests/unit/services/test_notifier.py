import json
import logging
import threading
from typing import Any

import pytest

from kilonova.kit.options import from_mapping
from kilonova.kit.sessions import Sessions
from kilonova.services.notifier import Notifier

URL = "http://compute.local"


class Compute:
    """A WSGI application that notes what it is told."""

    def __init__(self, status: str) -> None:
        self.told: list[tuple[str, Any]] = []
        self.heard = threading.Event()
        self._status = status

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        self.told.append((environ["PATH_INFO"], json.loads(body)))
        self.heard.set()
        start_response(self._status, [("Content-Type", "application/json")])
        return [b"{}"]


def notifier(compute: Compute) -> Notifier:
    configuration = from_mapping({"neutron": {"auth_type": "none"}})
    return Notifier(Sessions(configuration, {URL: compute}), URL)


def finish() -> None:
    for thread in threading.enumerate():
        if thread.name == "notify-compute":
            thread.join(5)


def test_one_event_for_each_server() -> None:
    compute = Compute("200 OK")
    notifier(compute).changed({"b", "a"})
    assert compute.heard.wait(5)
    finish()
    events = [{"name": "network-changed", "server_uuid": uuid} for uuid in ("a", "b")]
    assert compute.told == [("/v2.1/os-server-external-events", {"events": events})]


def test_a_refusal_is_logged_only(caplog: pytest.LogCaptureFixture) -> None:
    compute = Compute("409 Conflict")
    with caplog.at_level(logging.WARNING):
        notifier(compute).changed({"a"})
        assert compute.heard.wait(5)
        finish()
    assert "addresses of a changed" in caplog.text
