"""Whatever comes in, no endpoint of these resources breaks: a clear refusal, never a 500."""

import itertools
import re
from types import ModuleType
from typing import Any
from urllib.parse import quote

import pytest
from tests.service.compute.harness import Api, add_host

from kilonova.api import (
    aggregates,
    availability_zones,
    extensions,
    flavor_access,
    flavor_extra_specs,
    flavor_manage,
    flavors,
    hypervisors,
    keypairs,
    limits,
    quota_class_sets,
    quota_sets,
    server_groups,
    services,
    versions,
)
from kilonova.kit.http.endpoint import Endpoint

MODULES: tuple[ModuleType, ...] = (
    aggregates,
    availability_zones,
    extensions,
    flavor_access,
    flavor_extra_specs,
    flavor_manage,
    flavors,
    hypervisors,
    keypairs,
    limits,
    quota_class_sets,
    quota_sets,
    server_groups,
    services,
    versions,
)
IDS = ["1", "-1", str(1 << 63), "9" * 40, "x" * 300, "%00", "%ff", quote("ä'\"; --"), "1.5", "..", " "]
QUERY_VALUES = ["", "-1", "9" * 40, "%00", "%ff", "x", quote("ä'\";%_"), "1"]
QUERY_KEYS = (
    "limit",
    "marker",
    "offset",
    "sort_key",
    "sort_dir",
    "is_public",
    "minRam",
    "minDisk",
    "name",
    "user_id",
    "tenant_id",
    "host",
    "binary",
    "all_projects",
    "with_servers",
    "hypervisor_hostname_pattern",
    "unknown",
    "%00",
)
VALUES: list[Any] = [
    None,
    [],
    {},
    "",
    "x",
    "\x00",
    0,
    -1,
    1.5,
    1e300,
    1 << 70,
    True,
    ["x"],
    {"x": None},
    {"x": {"x": []}},
]
VERSIONS = ("2.1", "2.52", "2.53", "2.104")


def _path(endpoint: Endpoint, value: str) -> str:
    return re.sub(r"\{.*?\}", value, endpoint.path)


def _bodies(endpoint: Endpoint) -> list[Any]:
    """Bad values for the whole, for the object inside, and for each of its fields at any version."""
    if endpoint.body is None:
        return [None]
    found: list[Any] = list(VALUES)
    for minor in (1, 52, 104):
        for key, inner in endpoint.body.json_schema((2, minor)).get("properties", {}).items():
            found += [{key: value} for value in VALUES]
            names = inner.get("properties", {}) if isinstance(inner, dict) else {}
            whole = dict.fromkeys(names, "1")
            found += [{key: {**whole, name: value}} for name in names for value in VALUES]
    # Most schemas are the same at several versions.
    return list({repr(body): body for body in found}.values())


def _cases() -> list[Any]:
    endpoints = [e for module in MODULES for e in module.ENDPOINTS if not e.path.startswith("/.")]
    return [pytest.param(e, id=f"{e.method} {e.path} {e.action or ''}") for e in endpoints]


@pytest.mark.parametrize("endpoint", _cases())
def test_nothing_breaks(api: Api, endpoint: Endpoint, caplog: pytest.LogCaptureFixture) -> None:
    add_host(api.compute.store, "h")
    since = max(endpoint.since, (2, 1))
    versions_here = [v for v in VERSIONS if endpoint.lives((2, int(v[2:])))] or [f"2.{since[1]}"]
    for version in versions_here:
        for value in IDS if "{" in endpoint.path else ():
            _sent(api, endpoint, _path(endpoint, value), version, None)
        for body in _bodies(endpoint):
            _sent(api, endpoint, _path(endpoint, "1"), version, body)
        if endpoint.method == "GET":
            for key, value in itertools.product(QUERY_KEYS, QUERY_VALUES):
                _sent(api, endpoint, f"{_path(endpoint, '1')}?{key}={value}", version, None)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def _sent(api: Api, endpoint: Endpoint, path: str, version: str, body: Any) -> None:
    result = api.call(endpoint.method, path, version, body)
    assert result.status_code < 500 or result.status_code == 501, (path, version, body, result.text)


def test_nul_is_refused_wherever_it_comes(api: Api) -> None:
    api.get("/flavors?marker=%00", status=400)
    api.get("/flavors/%00", status=400)
    body = {"flavor": {"name": "a", "ram": 1, "vcpus": 1, "disk": 1}}
    api.post("/flavors", {**body, "x": ["\0"]}, status=400)
    api.post("/flavors", {"flavor": {**body["flavor"], "description": "a\\u0000b"}}, "2.55")
