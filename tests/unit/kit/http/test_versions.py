import pytest

from kilonova.kit.http.versions import BadVersion, Versioning, VersionNotOffered, parse, show

BOTH = Versioning("compute", (2, 1), (2, 104), "X-OpenStack-Nova-API-Version")
PLAIN = Versioning("placement", (1, 0), (1, 39))


@pytest.mark.parametrize(
    ("headers", "version"),
    [
        ({}, (2, 1)),
        ({"OPENSTACK-API-VERSION": "compute 2.60"}, (2, 60)),
        ({"OPENSTACK-API-VERSION": "COMPUTE 2.60"}, (2, 60)),
        ({"OPENSTACK-API-VERSION": "volume 3.5, compute 2.60"}, (2, 60)),
        ({"OPENSTACK-API-VERSION": "volume 3.5"}, (2, 1)),
        ({"OPENSTACK-API-VERSION": "compute latest"}, (2, 104)),
        ({"X-OPENSTACK-NOVA-API-VERSION": "2.5"}, (2, 5)),
        ({"X-OPENSTACK-NOVA-API-VERSION": "2.5", "OPENSTACK-API-VERSION": "compute 2.6"}, (2, 6)),
    ],
)
def test_headers_choose_the_version(headers: dict[str, str], version: tuple[int, int]) -> None:
    assert BOTH.negotiate(headers) == version


@pytest.mark.parametrize("wanted", ["2", "2.x", "2.01", "02.1", "-2.1", "2.1.1", "2. 1", "new"])
def test_what_is_no_version_is_refused(wanted: str) -> None:
    with pytest.raises(BadVersion, match="invalid format"):
        BOTH.negotiate({"OPENSTACK-API-VERSION": f"compute {wanted}"})


@pytest.mark.parametrize("wanted", ["2.0", "2.105", "3.1", "1.9"])
def test_what_is_not_offered_names_what_is(wanted: str) -> None:
    with pytest.raises(VersionNotOffered, match=rf"{wanted} is not .* 2\.1 and maximum is 2\.104"):
        BOTH.negotiate({"OPENSTACK-API-VERSION": f"compute {wanted}"})


def test_replies_say_which_it_was() -> None:
    assert dict(BOTH.reply_headers((2, 9))) == {
        "OpenStack-API-Version": "compute 2.9",
        "X-OpenStack-Nova-API-Version": "2.9",
        "Vary": "OpenStack-API-Version, X-OpenStack-Nova-API-Version",
    }
    plain = {"OpenStack-API-Version": "placement 1.2", "Vary": "OpenStack-API-Version"}
    assert dict(PLAIN.reply_headers((1, 2))) == plain
    assert show(parse("2.100")) == "2.100"
