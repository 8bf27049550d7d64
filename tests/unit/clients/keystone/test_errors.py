from typing import Any

import pytest

from kilonova.clients.keystone.errors import NeighbourFailed, translate, words
from kilonova.kit import codec

GLANCE_HTML = (
    b"<html><head><title>404 Not Found</title></head><body><h1>404 Not Found</h1>"
    b"No image found with ID 7<br /><br /></body></html>"
)


@pytest.mark.parametrize(
    ("document", "code", "message"),
    [
        ({"NeutronError": {"type": "OverQuota", "message": "no more", "detail": ""}}, "OverQuota", "no more"),
        (
            {
                "errors": [
                    {
                        "status": 409,
                        "title": "Conflict",
                        "detail": "Conflict\n\n raced  ",
                        "code": "placement.concurrent_update",
                    }
                ]
            },
            "placement.concurrent_update",
            "raced",
        ),
        ({"error": {"code": 401, "message": "bad token", "title": "Unauthorized"}}, "Unauthorized", "bad token"),
        ({"itemNotFound": {"code": 404, "message": "no volume"}}, "", "no volume"),
        ({"message": "flat", "code": "400 Bad Request", "title": "Bad Request"}, "Bad Request", "flat"),
        ([1], "", "[1]"),
        ({"odd": 1}, "", '{"odd":1}'),
    ],
)
def test_every_dialect_is_understood(document: Any, code: str, message: str) -> None:
    assert words(codec.dumps(document)) == (code, message)


def test_html_is_stripped() -> None:
    assert words(GLANCE_HTML) == ("", "No image found with ID 7")


def test_bytes_that_are_no_text_do_not_harm() -> None:
    assert words(b"\xff\xfe")[0] == ""


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (300, "unavailable"),
        (400, "invalid"),
        (401, "unauthorized"),
        (403, "forbidden"),
        (404, "not_found"),
        (409, "conflict"),
        (413, "over_quota"),
        (429, "unavailable"),
        (500, "unavailable"),
        (503, "unavailable"),
    ],
)
def test_status_becomes_kind(status: int, kind: str) -> None:
    error = translate("Glance", "GET /v2/images", status, GLANCE_HTML)

    assert error.kind == kind
    assert "Glance" in str(error)
    assert "No image found with ID 7" in str(error)


def test_neutron_quota_is_a_conflict_by_status_but_not_for_us() -> None:
    content = codec.dumps({"NeutronError": {"type": "OverQuota", "message": "ports", "detail": ""}})

    assert translate("Neutron", "POST /v2.0/ports", 409, content).kind == "over_quota"


def test_empty_answer_still_has_words() -> None:
    error = translate("Neutron", "GET /v2.0/ports", 502, b"")

    assert isinstance(error, NeighbourFailed)
    assert str(error) == "Neutron answered GET /v2.0/ports with 502: status 502 without a message"
