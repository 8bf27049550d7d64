"""Notifications by oslo.messaging: ``[oslo_messaging_notifications]`` says how they leave, and whether at all."""

import logging

from kilonova.kit.notices import Notice, NoticeOptions
from kilonova.kit.options import BadConfiguration, Configuration
from kilonova.kit.rpc.library import complete, messaging

LOG = logging.getLogger(__name__)


class OsloNotices:
    """Versioned and unversioned notifications on their topics."""

    def __init__(self, configuration: Configuration) -> None:
        """Raises BadConfiguration; connects only when first used."""
        options = configuration.section(NoticeOptions)
        self.versioned = options.notification_format in {"versioned", "both"}
        self.unversioned = options.notification_format in {"unversioned", "both"}
        try:
            transport = messaging.get_notification_transport(complete(configuration.apart()))
            self._new = messaging.Notifier(transport, topics=options.versioned_notifications_topics)
            self._old = messaging.Notifier(transport)
        except (messaging.InvalidTransportURL, messaging.DriverLoadFailure) as error:
            raise BadConfiguration(reason=f"[oslo_messaging_notifications] transport_url: {error}") from error

    def send(self, notice: Notice, *, versioned: bool = True) -> None:
        """Hand an event to the library; a broker that is away costs the event, not the work."""
        notifier = (self._new if versioned else self._old).prepare(publisher_id=notice.publisher)
        try:
            getattr(notifier, notice.priority.lower())({}, notice.event_type, dict(notice.payload))
        except Exception as error:  # noqa: BLE001  # whatever a driver raises, the work goes on
            LOG.warning("Notification %s was not sent: %s", notice.event_type, error)
