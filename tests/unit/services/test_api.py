import pytest

from kilonova.kit.options import BadConfiguration, from_mapping
from kilonova.services.api import enabled


@pytest.mark.parametrize(
    ("named", "served"),
    [
        ("osapi_compute,metadata", [("nova-api", 8774), ("nova-api-metadata", 8775)]),
        ("metadata,osapi_compute", [("nova-api", 8774), ("nova-api-metadata", 8775)]),
        ("metadata", [("nova-api-metadata", 8775)]),
    ],
)
def test_enabled_apis_say_what_is_served(named: str, served: list[tuple[str, int]]) -> None:
    doors = enabled(from_mapping({"DEFAULT": {"enabled_apis": named.split(",")}}))
    assert [(door.name, door.port) for door in doors] == served


@pytest.mark.parametrize("named", [["osapi_compute", "ec2"], []])
def test_an_api_that_is_none_is_refused_by_name(named: list[str]) -> None:
    with pytest.raises(BadConfiguration, match=r"enabled_apis: (ec2|empty); there are osapi_compute, metadata"):
        enabled(from_mapping({"DEFAULT": {"enabled_apis": named}}))
