"""What the options make of notifications."""

import logging

import pytest

from kilonova.kit.notices import DriverOptions, Notice, Silent
from kilonova.kit.options import from_mapping
from kilonova.kit.rpc.notices import OsloNotices
from kilonova.services.process import notices_of

NOTICE = Notice(event_type="flavor.create", publisher="nova-api:h", payload={"a": 1}, priority="ERROR")


@pytest.mark.parametrize(("form", "versioned", "old"), [("both", True, True), ("versioned", True, False)])
def test_the_form_is_an_option(form: str, versioned: bool, old: bool) -> None:
    from oslo_messaging.notify import _impl_test  # noqa: PLC0415  # after rabbit.py, which keeps it from eventlet

    sections = {"DEFAULT": {"transport_url": "fake://"}, "notifications": {"notification_format": form}}
    notices = OsloNotices(from_mapping({**sections, "oslo_messaging_notifications": {"driver": ["test"]}}))
    assert (notices.versioned, notices.unversioned) == (versioned, old)
    _impl_test.reset()
    notices.send(NOTICE)
    ((_context, message, priority, _retry),) = _impl_test.NOTIFICATIONS
    assert (message["event_type"], message["publisher_id"], message["payload"]) == (
        "flavor.create",
        "nova-api:h",
        {"a": 1},
    )
    assert (message["priority"], priority) == ("ERROR", "ERROR")


@pytest.mark.parametrize(("drivers", "wanted"), [([], False), (["noop"], False), (["log"], True)])
def test_nobody_listens_unless_a_driver_is_named(drivers: list[str], wanted: bool) -> None:
    assert DriverOptions(drivers).wanted is wanted
    sections = {"oslo_messaging_notifications": {"driver": drivers}}
    found = notices_of(from_mapping({"DEFAULT": {"transport_url": "fake://"}, **sections}))
    assert isinstance(found, Silent) is not wanted


class Broken:
    def error(self, *_arguments: object) -> None:
        raise OSError("no broker")

    def prepare(self, **_options: object) -> "Broken":
        return self


def test_a_broker_that_is_away_costs_the_event_alone(caplog: pytest.LogCaptureFixture) -> None:
    notices = OsloNotices(from_mapping({"DEFAULT": {"transport_url": "fake://"}}))
    notices._new = Broken()
    with caplog.at_level(logging.WARNING):
        notices.send(NOTICE)
    assert "flavor.create" in caplog.text
