"""Notifications as another system receives them, over a real broker."""

import threading
from typing import Any

import oslo_messaging
import pytest
from deployment.stack import Stack
from tests.contract.rpc.conftest import FIRST

from kilonova.kit.notices import Notice
from kilonova.kit.options import Configuration, from_mapping
from kilonova.kit.rpc.library import complete
from kilonova.kit.rpc.notices import OsloNotices

pytestmark = [pytest.mark.system, FIRST]
SENT = Notice(event_type="instance.pause.end", publisher="nova-compute:host1", payload={"name": "ä"})


def configured(url: str, form: str) -> Configuration:
    return from_mapping(
        {
            "DEFAULT": {"transport_url": url},
            "notifications": {"notification_format": form, "versioned_notifications_topics": "kilonova_versioned"},
            "oslo_messaging_notifications": {"driver": ["messagingv2"], "topics": "kilonova_unversioned"},
        }
    )


class Listener:
    """Keeps what arrives."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, Any]] = []
        self.event = threading.Event()

    def info(self, _context: Any, publisher: str, event_type: str, payload: Any, _metadata: Any) -> None:
        self.heard.append((publisher, event_type, payload))
        self.event.set()


@pytest.mark.parametrize(("topic", "versioned"), [("kilonova_versioned", True), ("kilonova_unversioned", False)])
def test_they_arrive_on_their_topic(stack: Stack, topic: str, versioned: bool) -> None:
    configuration = configured(stack.transport_url, "both")
    notices = OsloNotices(configuration)
    assert (notices.versioned, notices.unversioned) == (True, True)
    listener = Listener()
    transport = oslo_messaging.get_notification_transport(complete(configuration.apart()))
    server = oslo_messaging.get_notification_listener(
        transport, [oslo_messaging.Target(topic=topic)], [listener], executor="threading"
    )
    server.start()
    notices.send(SENT, versioned=versioned)
    assert listener.event.wait(20)
    server.stop()
    server.wait()
    assert listener.heard[-1] == (SENT.publisher, SENT.event_type, {"name": "ä"})
