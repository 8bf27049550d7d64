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
