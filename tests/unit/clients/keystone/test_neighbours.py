import pytest

from kilonova.clients.keystone.neighbours import neighbour
from kilonova.kit.options import from_mapping
from kilonova.kit.sessions import Sessions


def test_old_image_server_list_is_an_endpoint() -> None:
    sessions = Sessions(from_mapping({"glance": {"api_servers": ["http://a:9292", "http://b:9292"]}}))

    assert neighbour(sessions, "glance").location().url == "http://a:9292"


@pytest.mark.parametrize(
    ("section", "options", "tries"),
    [
        ("glance", {"num_retries": 1}, 1),
        ("neutron", {"http_retries": 2}, 2),
        ("cinder", {"http_retries": 0}, 0),
        ("placement", {"connect_retries": 4}, 4),
        ("neutron", {"http_retries": 2, "connect_retries": 5}, 5),
    ],
)
def test_retries_come_from_the_section(section: str, options: dict[str, int], tries: int) -> None:
    sessions = Sessions(from_mapping({section: {"endpoint_override": "http://x", **options}}))

    assert neighbour(sessions, section)._patience.connect == tries


def test_retriable_codes() -> None:
    sessions = Sessions(from_mapping({"placement": {"retriable_status_codes": ["500", "503"]}}))

    assert neighbour(sessions, "placement")._patience.codes == {500, 503}


def test_the_volume_services_own_words_for_its_endpoint() -> None:
    told = {
        "catalog_info": "block:cinder:internalURL",
        "os_region_name": "west",
        "endpoint_template": "http://v/v3/%(project_id)s",
    }
    sessions = Sessions(from_mapping({"cinder": told}))

    found = neighbour(sessions, "cinder")

    options = found._options
    assert (options.service_type, options.service_name) == ("block", "cinder")
    assert (options.valid_interfaces, options.region_name) == (["internal"], "west")
    assert found.location().url == "http://v"
    assert found.project_id() is None
