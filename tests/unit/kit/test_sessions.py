from pathlib import Path

import pytest

from kilonova.kit.options import BadConfiguration, from_mapping, load
from kilonova.kit.sessions import Sessions

PASSWORD = {"auth_type": "password", "auth_url": "http://id.local/v3", "username": "nova", "password": "p"}


def test_own_credentials_win() -> None:
    sessions = Sessions(from_mapping({"neutron": PASSWORD, "service_user": PASSWORD}))

    found = sessions.credentials("neutron")

    assert found is not None
    assert found.section == "neutron"
    assert found.plugin.auth_url == "http://id.local/v3"


@pytest.mark.parametrize("lender", ["service_user", "keystone_authtoken"])
def test_section_without_credentials_borrows(lender: str) -> None:
    sessions = Sessions(from_mapping({"glance": {"region_name": "here"}, lender: PASSWORD}))

    found = sessions.credentials("glance")

    assert found is not None
    assert found.section == lender


def test_borrowers_share_one_plugin_and_so_one_token() -> None:
    sessions = Sessions(from_mapping({"service_user": PASSWORD}))

    glance, cinder = sessions.credentials("glance"), sessions.credentials("cinder")

    assert glance is not None
    assert cinder is not None
    assert glance.plugin is cinder.plugin


def test_nobody_has_credentials() -> None:
    assert Sessions(from_mapping({})).credentials("glance") is None


def test_auth_section_points_elsewhere() -> None:
    sessions = Sessions(from_mapping({"neutron": {"auth_section": "shared"}, "shared": PASSWORD}))

    found = sessions.credentials("neutron")

    assert found is not None
    assert found.section == "shared"


def test_unknown_auth_type_names_the_section() -> None:
    sessions = Sessions(from_mapping({"neutron": {"auth_type": "telepathy"}}))

    with pytest.raises(BadConfiguration, match=r"\[neutron\].*telepathy"):
        sessions.credentials("neutron")


def test_missing_option_names_the_section() -> None:
    sessions = Sessions(from_mapping({"neutron": {"auth_type": "password", "username": "nova"}}))

    with pytest.raises(BadConfiguration, match=r"\[neutron\].*auth_url"):
        sessions.credentials("neutron")


def test_credentials_from_a_file(tmp_path: Path) -> None:
    conf = tmp_path / "nova.conf"
    conf.write_text(
        "[placement]\nauth_type = password\nauth_url = http://id.local/v3\nusername = placement\npassword = secret\n"
        "project_name = service\nvalid_interfaces = admin, public\ntimeout = 7.5\n"
    )
    sessions = Sessions(load("test", files=[str(conf)]))

    found = sessions.credentials("placement")

    assert found is not None
    assert found.plugin._username == "placement"
    assert sessions.options("placement").valid_interfaces == ["admin", "public"]
    assert sessions.options("placement").timeout == 7.5


def test_tls_settings_reach_the_session() -> None:
    sessions = Sessions(from_mapping({"neutron": {"cafile": "/ca.pem", "certfile": "/c.pem", "keyfile": "/k.pem"}}))
    session = sessions.session(sessions.options("neutron"))

    assert session.verify == "/ca.pem"
    assert session.cert == ("/c.pem", "/k.pem")


@pytest.mark.parametrize(("given", "seconds"), [({}, 60.0), ({"timeout": 7.5}, 7.5)])
def test_no_answer_is_waited_for_for_ever(given: dict[str, float], seconds: float) -> None:
    sessions = Sessions(from_mapping({"neutron": given}))

    assert sessions.session(sessions.options("neutron")).timeout == seconds


def test_insecure_wins_over_cafile() -> None:
    sessions = Sessions(from_mapping({"neutron": {"cafile": "/ca.pem", "insecure": True}}))

    assert sessions.session(sessions.options("neutron")).verify is False


@pytest.mark.parametrize("wanted", [True, False])
def test_service_token_only_on_demand(wanted: bool) -> None:
    sessions = Sessions(from_mapping({"service_user": {**PASSWORD, "send_service_user_token": wanted}}))

    assert (sessions.service_token is not None) is wanted
