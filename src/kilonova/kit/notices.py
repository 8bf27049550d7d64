"""Telling other systems what happens, over the bus they listen on: events with a type, a publisher and a payload."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from kilonova.kit.options import opt

INFO, ERROR = "INFO", "ERROR"


@dataclass(frozen=True)
class NoticeOptions:
    """``[notifications]``."""

    GROUP: ClassVar[str] = "notifications"
    notification_format: str = opt(
        "unversioned", "which notifications are sent", choices=["both", "versioned", "unversioned"]
    )
    notify_on_state_change: str | None = opt(
        None, "send instance.update when the state changes", choices=[None, "", "vm_state", "vm_and_task_state"]
    )
    versioned_notifications_topics: list[str] = opt(["versioned_notifications"], "topics of versioned notifications")
    default_level: str = opt(
        "INFO", "level of unversioned notifications", choices=["DEBUG", "INFO", "WARN", "ERROR", "CRITICAL"]
    )
    bdms_in_notifications: bool = opt(False, "include block devices in payloads")
    include_share_mapping: bool = opt(False, "include shares in payloads")


@dataclass(frozen=True)
class DriverOptions:
    """``[oslo_messaging_notifications]``, as far as it says whether anybody listens."""

    GROUP: ClassVar[str] = "oslo_messaging_notifications"
    driver: list[str] = opt([], "how notifications leave: messagingv2, log, noop …", multi=True)

    @property
    def wanted(self) -> bool:
        """Somebody listens."""
        return bool(set(self.driver) - {"", "noop"})


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One event."""

    event_type: str
    """``instance.create.end``."""
    publisher: str
    """Program and host: ``nova-compute:host1``."""
    payload: Mapping[str, Any]
    priority: str = INFO


class Notices(Protocol):
    """Where events go. Sending never fails the work it tells of."""

    versioned: bool
    """Somebody wants versioned notifications."""
    unversioned: bool
    """Somebody wants those of the old form."""

    def send(self, notice: Notice, *, versioned: bool = True) -> None:
        """Hand an event on."""


@dataclass
class Silent:
    """Nobody listens."""

    versioned: bool = False
    unversioned: bool = False

    def send(self, notice: Notice, *, versioned: bool = True) -> None:
        """Nothing."""


@dataclass
class Recorded:
    """Keeps what was sent, for tests."""

    versioned: bool = True
    unversioned: bool = True
    sent: list[Notice] = field(default_factory=list)
    old: list[Notice] = field(default_factory=list)

    def send(self, notice: Notice, *, versioned: bool = True) -> None:
        """Remember."""
        (self.sent if versioned else self.old).append(notice)
