"""Vendor data targets that answer, and that do not."""

import logging

import pytest

from kilonova.clients.vendordata.http import Targets, VendorDataFailed, parsed
from kilonova.kit.http.scripted import ScriptedApp, Told
from kilonova.kit.options import BadConfiguration, from_mapping
from kilonova.kit.sessions import EndpointOptions, Sessions

URL = "http://vendor.local"


def targets(*answers: Told, fatal: bool = False) -> Targets:
    session = Sessions(from_mapping({}), {URL: ScriptedApp(*answers)}).session(EndpointOptions())
    return Targets(urls={"a": f"{URL}/a", "b": f"{URL}/b"}, session=session, fatal=fatal)


def test_each_answer_stands_under_its_name() -> None:
    assert targets(Told(200, {"x": 1}), Told(200, [2]))({}) == {"a": {"x": 1}, "b": [2]}


def test_a_failure_leaves_the_others(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert targets(Told(500), Told(200, {"x": 1}))({}) == {"a": {}, "b": {"x": 1}}
    assert f"{URL}/a" in caplog.text


def test_a_failure_may_be_fatal() -> None:
    with pytest.raises(VendorDataFailed, match="target a"):
        targets(Told(500), fatal=True)({})


def test_targets_have_names() -> None:
    assert parsed(["a@http://one", "b@http://two@x", "a@http://three"]) == {"a": "http://one", "b": "http://two@x"}
    with pytest.raises(BadConfiguration, match="just"):
        parsed(["just"])
