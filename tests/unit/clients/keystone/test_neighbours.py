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
