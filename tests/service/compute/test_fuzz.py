"""No input makes a 500: every endpoint at three versions, with fitting, bent and wild bodies, ids and queries.

Bodies come from the endpoints' own schemas, so that they get past validation as often as they do not.
"""

import json
import random
import string
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import falcon.testing
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from tests.service.cloud import Cloud, running

from kilonova.api.app import endpoints
from kilonova.kit import codec
from kilonova.kit.http.endpoint import Endpoint
from kilonova.kit.http.schema import Schema
from kilonova.metadata.app import build as build_metadata
from kilonova.metadata.options import MetadataOptions
from kilonova.placement.api.app import ENDPOINTS as PLACEMENT_ENDPOINTS

_VERSIONS = ((2, 1), (2, 60), (2, 104))
_WILD_TEXT = [
    "",
    " ",
    "\x00",
    "ä€😀",
    "a" * 300,
    "../..",
    "%00",
    "'; --",
    "-1",
    "0",
    "1" * 40,
    "null",
    "[",
    "(",
    "2026",
]
_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGKqnJdvPbIrxMWBOn6iFVvEVcNRyhoXVqP1VsFnGjXd someone@somewhere"
_UUIDS = ["99999999-9999-9999-9999-999999999999", "default", "1"]
_NAMED: dict[str, list[str]] = {}
"""What paths may name, by the word they have for it."""
_SECONDS = 8.0

wild = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 70), 1 << 70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(_WILD_TEXT)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


class Maker:
    """Values that fit a JSON schema, near enough; now and then something else."""

    def __init__(self, rng: random.Random, bend: float) -> None:
        self._rng = rng
        self._bend = bend

    def value(self, schema: Any, depth: int = 0) -> Any:
        """One value."""
        if not isinstance(schema, dict) or self._rng.random() < self._bend:
            return self.anything(depth)
        if "enum" in schema:
            return self._rng.choice(list(schema["enum"]))
        if "const" in schema:
            return schema["const"]
        for word in ("oneOf", "anyOf"):
            if word in schema:
                plain = {key: inner for key, inner in schema.items() if key != word}
                return self.value({**plain, **self._rng.choice(schema[word])}, depth)
        kinds = schema.get("type", "object" if "properties" in schema else "any")
        kind = self._rng.choice(kinds) if isinstance(kinds, list) else kinds
        make: dict[str, Callable[[dict[str, Any], int], Any]] = {
            "object": self._object,
            "array": self._array,
            "string": self._string,
            "integer": self._integer,
            "number": self._integer,
            "boolean": lambda _schema, _depth: self._rng.random() < 0.5,
            "null": lambda _schema, _depth: None,
        }
        return make[kind](schema, depth) if kind in make else self.anything(depth)

    def anything(self, depth: int = 0) -> Any:
        """Any JSON."""
        kind = self._rng.randrange(8 if depth < 3 else 6)
        if kind == 6:
            return [self.anything(depth + 1) for _ in range(self._rng.randrange(3))]
        if kind == 7:
            return {self._rng.choice(_WILD_TEXT): self.anything(depth + 1) for _ in range(self._rng.randrange(3))}
        plain = [None, True, self._rng.choice([-1, 0, 1, 1 << 31, 1 << 63, 1 << 64, 10**30]), 1.5, "x"]
        return self._rng.choice(_WILD_TEXT) if kind == 5 else plain[kind]

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        needed = schema.get("required", ())
        found: dict[str, Any] = {}
        for name, inner in schema.get("properties", {}).items():
            if name in needed or self._rng.random() < 0.4:
                found[name] = self.value(inner, depth + 1)
        for inner in schema.get("patternProperties", {}).values():
            found[self._rng.choice(["hw:cpu_policy", "key", "VCPU", _UUIDS[0], "CUSTOM_A", "1"])] = self.value(
                inner, depth + 1
            )
        if self._rng.random() < self._bend:
            found[self._rng.choice(_WILD_TEXT)] = self.anything(depth + 1)
        return found

    def _array(self, schema: dict[str, Any], depth: int) -> list[Any]:
        count = self._rng.choice([0, 1, 1, 2, schema.get("minItems", 0)])
        return [self.value(schema.get("items"), depth + 1) for _ in range(count)]

    def _string(self, schema: dict[str, Any], _depth: int) -> str:
        forms = {
            "uuid": _UUIDS[0],
            "ipv4": "192.0.2.1",
            "ipv6": "2001:db8::1",
            "base64": "aGVsbG8=",
            "date-time": "2026-01-01T00:00:00Z",
            "uri": "http://example.org",
        }
        if schema.get("format") in forms:
            return forms[schema["format"]]
        if self._rng.random() < 0.3:
            return self._rng.choice(_WILD_TEXT)
        size = self._rng.choice([1, 5, min(schema.get("maxLength", 12), 255)])
        return "".join(self._rng.choice(string.ascii_letters + string.digits) for _ in range(size))

    def _integer(self, schema: dict[str, Any], _depth: int) -> int:
        low, high = schema.get("minimum", -5), schema.get("maximum", 1 << 31)
        return int(self._rng.choice([low, high, low + 1, (1 << 31) - 1, 1 << 63]))


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("cloud")) as found:
        found.flavor()
        know(found)
        yield found


def know(cloud: Cloud, **more: list[str]) -> None:
    """Paths name what is in this cloud, and ``more``."""
    network = cloud.network_api.network("private", "project")
    server = cloud.boot(networks=[{"uuid": network}])["id"]
    _UUIDS.append(server)
    _NAMED.update(_things(cloud, server, network), **more)


def _things(cloud: Cloud, server: str, network: str) -> dict[str, list[str]]:
    """One of everything, so that handlers get past looking for it."""

    def ask(method: str, path: str, body: Any = None, token: str = "admin:project", version: str = "2.104") -> Any:
        return cloud.call(method, path, body, token=token, version=version).json

    group = ask("POST", "/os-server-groups", {"server_group": {"name": "g", "policy": "affinity"}})["server_group"]
    name = f"aggregate of {server}"  # the fuzzing may have made one of any short name
    aggregate = ask("POST", "/os-aggregates", {"aggregate": {"name": name}})["aggregate"]
    ask("POST", "/os-keypairs", {"keypair": {"name": "key", "type": "ssh", "public_key": _KEY}})
    ask("PUT", f"/servers/{server}/tags/tag")
    ask("POST", f"/servers/{server}/metadata", {"metadata": {"key": "value"}})
    actions = ask("GET", f"/servers/{server}/os-instance-actions")["instanceActions"]
    ports = cloud.network_api.rows("ports", [("device_id", server)])
    volume = cloud.volumes.add().id
    ask("POST", f"/servers/{server}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume}})
    hosts = [row["id"] for row in ask("GET", "/os-hypervisors")["hypervisors"]]
    return {
        "flavor_id": ["1"],
        "id": [group["id"], *hosts, "host1", "default"],
        "name": ["key"],
        "label": ["private"],
        "volume_id": [volume],
        "security_group_id": [str(cloud.network_api.security_group(f"web{len(_UUIDS)}", "project"))],
        "before_timestamp": ["2030-01-01 00:00:00"],
        "server_group_id": [group["id"]],
        "aggregate_id": [str(aggregate["id"])],
        "keypair_name": ["key"],
        "tag": ["tag"],
        "key": ["key"],
        "request_id": [actions[0]["request_id"]],
        "port_id": [ports[0]["id"]],
        "network_id": [network],
        "network_label": ["private"],
        "image_id": [cloud.image.id],
        "host_name": ["host1"],
        "tenant_id": ["project"],
        "service_id": [row["id"] for row in ask("GET", "/os-services")["services"]],
        "hypervisor_id": hosts,
        "hypervisor_hostname_pattern": ["host1"],
    }


def _path(endpoint: Endpoint, rng: random.Random) -> str:
    def filled(part: str) -> str:
        if not part.startswith("{"):
            return part
        right = _NAMED.get(part[1:-1], _UUIDS)
        return quote(rng.choice(right * (18 // len(right)) + _UUIDS + _WILD_TEXT) or "x", safe="")

    return "/".join(map(filled, endpoint.path.split("/")))


def _schema(schema: Schema | None, version: tuple[int, int]) -> Any:
    return schema.json_schema(version) if schema is not None else None


def _query(endpoint: Endpoint, version: tuple[int, int], rng: random.Random, maker: Maker) -> str:
    schema = _schema(endpoint.query, version)
    pairs: list[tuple[str, str]] = []
    for name, inner in (schema or {}).get("properties", {}).items():
        if rng.random() < 0.25:
            pairs.append((name, str(maker.value(inner.get("items"), 3))))
    if rng.random() < 0.2:
        pairs.append((rng.choice(_WILD_TEXT) or "x", rng.choice(_WILD_TEXT)))
    try:
        text = urlencode(pairs)
    except UnicodeEncodeError:
        text = ""
    return rng.choice([text] * 8 + ["%", "&&==", "a=%ff", "limit=%00", "limit=1&limit=2"])


def _body(endpoint: Endpoint, version: tuple[int, int], rng: random.Random, maker: Maker) -> bytes:
    broken = [
        b"{",
        b"\xff\xfe",
        b"[" * 5000,
        b'{"a": NaN}',
        b"",
        b"null",
        b"[]",
        b'"x"',
        b'{"server": {"name": "\xff"}}',
    ]
    if rng.random() < 0.1:
        return rng.choice(broken)
    schema = _schema(endpoint.body, version)
    value = maker.value(schema) if schema is not None else maker.anything()
    if (
        endpoint.action is not None
        and rng.random() < 0.5
        and not (isinstance(value, dict) and endpoint.action in value)
    ):
        value = {endpoint.action: value}
    try:
        return codec.dumps(value)
    except (TypeError, ValueError):  # integers beyond 64 bits: the standard library writes them
        return json.dumps(value).encode()


def _rounds(
    table: list[Endpoint], versions: tuple[tuple[int, int], ...], seconds: float = _SECONDS
) -> Iterator[tuple[Endpoint, tuple[int, int]]]:
    """Every endpoint at every version, again and again until the time is over."""
    deadline = time.monotonic() + seconds
    first = True
    while first or time.monotonic() < deadline:
        for endpoint in table:
            for version in versions:
                if endpoint.lives(version):
                    yield endpoint, version
            if not first and time.monotonic() > deadline:
                return
        first = False


def _said(result: falcon.testing.Result, request: tuple[Any, ...]) -> None:
    assert result.status_code < 500 or result.status_code in (501, 503), (
        result.status_code,
        result.text[:300],
        request,
    )
    if result.status_code >= 400:
        assert result.content, request


_TOKENS = ("admin:project", "user:project", "user:other")


def table() -> list[Endpoint]:
    """All endpoints but the one that never ends."""
    return [endpoint for endpoint in endpoints() if endpoint.path != "/ext/v1/events"]


def explore(
    cloud: Cloud,
    asked: list[Endpoint],
    seconds: float = _SECONDS,
    *,
    tokens: Sequence[str] = _TOKENS,
    between: Callable[[], None] = lambda: None,
) -> Counter[tuple[str, int]]:
    """Asks as long as that; ``between`` is called before each request. Endpoint and status → how often."""
    rng = random.Random(20260101)  # a test's choice of inputs
    seen: Counter[tuple[str, int]] = Counter()
    for endpoint, version in _rounds(asked, _VERSIONS, seconds):
        between()
        maker = Maker(rng, rng.choice([0.0, 0.05, 0.3]))
        path, query = _path(endpoint, rng), _query(endpoint, version, rng, maker)
        body = _body(endpoint, version, rng, maker) if endpoint.method in ("POST", "PUT", "PATCH") else None
        result = cloud.client.simulate_request(
            endpoint.method,
            f"/v2.1{path}",
            query_string=query,
            body=body,
            headers={
                "X-Auth-Token": rng.choice(tokens),
                "OpenStack-API-Version": f"compute {version[0]}.{version[1]}",
                "Content-Type": "application/json",
            },
        )
        request = (endpoint.method, path, query, version, body)
        _said(result, request)
        if result.status_code >= 400:
            (error,) = result.json.values()
            assert error["code"] == result.status_code, request
            assert error["message"], request
        seen[f"{endpoint.method} {endpoint.path} {endpoint.action or ''}", result.status_code] += 1
    return seen


def test_compute_never_breaks(cloud: Cloud) -> None:
    assert sum(explore(cloud, table()).values()) > len(table())


def test_placement_never_breaks(cloud: Cloud) -> None:
    rng = random.Random(20260102)  # a test's choice of inputs
    client = falcon.testing.TestClient(cloud.placement)
    for endpoint, version in _rounds(list(PLACEMENT_ENDPOINTS), ((1, 0), (1, 20), (1, 39))):
        maker = Maker(rng, rng.choice([0.0, 0.05, 0.3]))
        path, query = _path(endpoint, rng), _query(endpoint, version, rng, maker)
        body = _body(endpoint, version, rng, maker) if endpoint.method in ("POST", "PUT", "PATCH") else None
        headers = {
            "X-Auth-Token": "admin:admin",
            "OpenStack-API-Version": f"placement {version[0]}.{version[1]}",
            "Content-Type": "application/json",
        }
        result = client.simulate_request(endpoint.method, path, query_string=query, body=body, headers=headers)
        _said(result, (endpoint.method, path, query, version, body))


@seed(1)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=wild, wrap=st.sampled_from(["server", "os-server-external-events", None]))
def test_wild_bodies_never_break_a_create(cloud: Cloud, value: Any, wrap: str | None) -> None:
    body = json.dumps({wrap: value} if wrap else value)
    headers = {"X-Auth-Token": "admin:project", "Content-Type": "application/json"}
    result = cloud.client.simulate_post("/v2.1/servers", body=body, headers=headers)
    assert result.status_code == 400, result.text


@seed(2)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=40), header=st.sampled_from(["latest", "2.1", "x", "2.999", "-1.0", "2.1, 2.2", ""]))
def test_wild_paths_and_versions(cloud: Cloud, text: str, header: str) -> None:
    path = "/v2.1/" + quote(text, safe="/")
    headers = {"X-Auth-Token": "user:project", "OpenStack-API-Version": f"compute {header}"}
    _said(cloud.client.simulate_get(path, headers=headers), (path, header))
    metadata = falcon.testing.TestClient(build_metadata(cloud.store, MetadataOptions()))
    _said(metadata.simulate_get("/" + quote(text, safe="/"), remote_addr="10.0.0.2"), (path,))


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b'{"server": {"name": "' + b"a" * (2 << 20) + b'"}}', "application/json", 413),
        (b"{", "application/json", 400),
        (b"\xff\xfe{}", "application/json", 400),
        (b"a=b", "application/x-www-form-urlencoded", 415),
        (b"", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"server": ' * 20_000, "application/json", 400),
        (b'{"server": {"name": "\\ud800"}}', "application/json", 400),
    ],
)
def test_malformed_bodies(cloud: Cloud, body: bytes, content_type: str, status: int) -> None:
    headers = {"X-Auth-Token": "user:project", "Content-Type": content_type}
    result = cloud.client.simulate_post("/v2.1/servers", body=body, headers=headers)
    assert result.status_code == status, result.text
    assert result.json
