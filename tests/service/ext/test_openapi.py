"""The description of the API, judged by a validator that is not ours."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from openapi_spec_validator import validate
from tests.service.cloud import Cloud

from kilonova.kit import codec


@pytest.fixture(name="cloud", scope="module")
def _cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    cloud = Cloud(Path(tmp_path_factory.mktemp("cloud")))
    yield cloud
    cloud.stop()


@pytest.mark.parametrize("version", ["2.1", "2.60", "2.104", "latest"])
def test_it_is_valid(cloud: Cloud, version: str) -> None:
    result = cloud.client.simulate_get(f"/ext/v1/openapi.json?microversion={version}")
    assert result.status_code == 200
    document = codec.loads(result.content)
    validate(document)
    assert document["info"]["version"] == ("2.104" if version == "latest" else version)
    actions = document["paths"]["/servers/{server_id}/action"]["post"]["requestBody"]["content"]
    titles = {tuple(schema["required"]) for schema in actions["application/json"]["schema"]["oneOf"]}
    assert ("os-start",) in titles
    assert (("trigger_crash_dump",) in titles) <= (version != "2.1")


def test_versions_differ(cloud: Cloud) -> None:
    def keys(version: str) -> set[str]:
        document = cloud.client.simulate_get(f"/ext/v1/openapi.json?microversion={version}").json
        body = document["paths"]["/servers"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        return set(body["properties"]["server"]["properties"])

    assert "tags" in keys("2.104") - keys("2.1")
    assert "personality" in keys("2.1") - keys("2.104")


@pytest.mark.parametrize(("version", "status"), [("2.105", 406), ("nonsense", 400)])
def test_bad_version(cloud: Cloud, version: str, status: int) -> None:
    assert cloud.client.simulate_get(f"/ext/v1/openapi.json?microversion={version}").status_code == status
