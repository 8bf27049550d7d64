import json
from typing import Any, get_args

import pytest

from kilonova.kit.errors import Conflict, KilonovaError, Kind, NotFound
from kilonova.kit.http import errors
from kilonova.kit.http.errors import STATUS, HttpError, status_of
from kilonova.kit.http.versions import VersionNotOffered


class Coded(Conflict):
    code = "placement.concurrent_update"


OUTSIDE = VersionNotOffered(value="9.9", low="1.0", high="1.39", minimum="1.0")


def body(form: errors.ErrorFormat, error: KilonovaError, version: Any = None) -> Any:
    content_type, data = form(status_of(error), error, "req-1", version)
    return json.loads(data) if content_type == "application/json" else data.decode()


def test_every_kind_has_a_status() -> None:
    assert set(STATUS) == set(get_args(Kind))
    found = [status_of(e) for e in (NotFound("x"), HttpError(418, "x"), OUTSIDE, KilonovaError("x"))]
    assert found == [404, 418, 406, 500]


def test_computes_form() -> None:
    assert body(errors.compute_format, NotFound("x")) == {"itemNotFound": {"code": 404, "message": "x"}}
    assert body(errors.compute_format, HttpError(418, "x")) == {"computeFault": {"code": 418, "message": "x"}}


@pytest.mark.parametrize(("version", "code"), [((1, 22), None), ((1, 23), Coded.code), (None, Coded.code)])
def test_placements_form(version: Any, code: str | None) -> None:
    (entry,) = body(errors.placement_format, Coded("x"), version)["errors"]
    assert (entry["status"], entry["title"], entry["request_id"], entry.get("code")) == (409, "Conflict", "req-1", code)
    assert entry["detail"].split("\n")[-1].strip() == "x"


def test_placements_form_of_a_version_that_is_not_offered() -> None:
    (entry,) = body(errors.placement_format, OUTSIDE)["errors"]
    assert (entry["min_version"], entry["max_version"], entry["code"]) == ("1.0", "1.39", "placement.undefined_code")


def test_the_neighbours_forms() -> None:
    identity = body(errors.identity_format, NotFound("x"))
    assert identity == {"error": {"code": 404, "title": "Not Found", "message": "x"}}
    network = body(errors.network_format, Coded("x"))
    assert network == {"NeutronError": {"type": "Coded", "message": "x", "detail": ""}}
    assert "<h1>404 Not Found</h1>\n  a &lt;b&gt;<br />" in body(errors.image_format, NotFound("a <b>"))
