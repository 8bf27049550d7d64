import pytest

from kilonova.clients.keystone.location import Location, bare
from kilonova.kit.options import from_mapping
from kilonova.kit.sessions import Sessions


@pytest.mark.parametrize(
    ("listed", "url"),
    [
        ("http://host:9696", "http://host:9696"),
        ("http://host:9696/", "http://host:9696"),
        ("http://host:9696/v2.0/", "http://host:9696"),
        ("http://host/networking/v2.0", "http://host/networking"),
        ("http://host:8776/v3/0123456789abcdef0123456789abcdef", "http://host:8776"),
        ("http://host/volume/v3/AUTH_01234567-89ab-cdef-0123-456789abcdef", "http://host/volume"),
        ("http://host/v2image", "http://host/v2image"),
    ],
)
def test_endpoint_without_version(listed: str, url: str) -> None:
    assert bare(listed) == url


def test_environment_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.local:3128")
    monkeypatch.setenv("no_proxy", "near.local")
    sessions = Sessions(from_mapping({}))
    session = sessions.session(sessions.options("neutron"))

    assert Location.of("http://far.local", session).proxies["http"] == "http://proxy.local:3128"
    assert "http" not in Location.of("http://near.local", session).proxies
