from pathlib import Path

import pytest

from kilonova.kit.http.scripted import ScriptedApp, Told
from kilonova.kit.options import BadConfiguration, from_mapping
from kilonova.kit.sessions import Sessions
from kilonova.operations.vendor_data import VendorDataOptions, guest_options, load

URL = "http://vendor.local"


def test_the_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "vendor.json"
    path.write_text('{"a": 1}')
    assert load(VendorDataOptions(vendordata_jsonfile_path=str(path))) == {"a": 1}
    assert load(VendorDataOptions(vendordata_providers=[], vendordata_jsonfile_path=str(path))) == {}
    assert load(VendorDataOptions()) == {}


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_a_bad_file_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "vendor.json"
    path.write_text(content)
    with pytest.raises(BadConfiguration, match=r"vendor\.json"):
        load(VendorDataOptions(vendordata_jsonfile_path=str(path)))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match="none"):
        load(VendorDataOptions(vendordata_jsonfile_path=str(tmp_path / "none")))


def test_other_providers_are_refused() -> None:
    with pytest.raises(BadConfiguration, match="DynamicXML"):
        guest_options(from_mapping({"api": {"vendordata_providers": ["DynamicXML"]}}), "d")


ROW = {
    "uuid": "u",
    "project_id": "p",
    "name": "web",
    "hostname": "web",
    "image_ref": "i",
    "user_data": None,
    "boot_roles": "member,reader",
    "metadata": '{"a": "b"}',
}


def test_targets_are_told_of_the_server_and_answer() -> None:
    app = ScriptedApp(Told(200, {"domain": "joined"}))
    api = {"vendordata_providers": ["StaticJSON", "DynamicJSON"], "vendordata_dynamic_targets": [f"join@{URL}/v1"]}
    auth = {"auth_type": "admin_token", "endpoint": URL, "token": "ours"}
    configuration = from_mapping({"api": api, "vendordata_dynamic_auth": auth})
    found = guest_options(configuration, "example.org", Sessions(configuration, {URL: app}))
    assert found.ask_vendor(ROW) == {"join": {"domain": "joined"}}
    (asked,) = app.asked
    assert asked.json == {
        "project-id": "p",
        "instance-id": "u",
        "image-id": "i",
        "user-data": None,
        "hostname": "web.example.org",
        "metadata": {"a": "b"},
        "boot-roles": "member,reader",
    }
    assert asked.headers["X-AUTH-TOKEN"] == "ours"


def test_targets_without_their_provider_are_not_asked() -> None:
    configuration = from_mapping({"api": {"vendordata_dynamic_targets": [f"join@{URL}"]}})
    assert guest_options(configuration, "d").ask_vendor(ROW) == {}
