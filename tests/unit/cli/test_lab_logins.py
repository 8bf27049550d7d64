import stat
from pathlib import Path

import pytest
import yaml

from kilonova.cli import lab_logins
from kilonova.cli.lab_files import Lab
from kilonova.cli.lab_logins import BadCloudsFile, places


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path / "state")


def test_writes_two_clouds_beside_others(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "clouds.yaml"
    path.write_text("cache: {expiration_time: 5}\nclouds:\n  mine: {auth: {username: me}}\n")
    path.chmod(0o640)
    lab_logins.write(lab, [path])
    found = yaml.safe_load(path.read_text())
    assert list(found["clouds"]) == ["mine", "kilonova", "kilonova-demo"]
    assert found["cache"] == {"expiration_time": 5}
    admin = found["clouds"]["kilonova"]["auth"]
    assert (admin["username"], admin["project_name"]) == ("admin", "admin")
    assert admin["password"] == lab.passwords()["admin"]
    assert found["clouds"]["kilonova-demo"]["auth"]["username"] == "demo"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_new_file_is_private_and_goes_with_its_folder(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "openstack" / "clouds.yaml"
    lab_logins.write(lab, [path])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    lab_logins.forget(lab, [path])
    assert not path.parent.exists()


def test_forgets_only_its_own(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "clouds.yaml"
    path.write_text("clouds:\n  mine: {}\n")
    lab_logins.write(lab, [path])
    lab_logins.forget(lab, [path, tmp_path / "absent.yaml"])
    assert yaml.safe_load(path.read_text()) == {"clouds": {"mine": {}}}
    other = Lab(tmp_path / "other")
    lab_logins.write(other, [path])
    lab_logins.forget(lab, [path])
    assert "kilonova" in yaml.safe_load(path.read_text())["clouds"]


@pytest.mark.parametrize("text", ["clouds: [a]", "- a", "a: [", "clouds: text"])
def test_a_file_that_cannot_be_added_to_is_left_alone(lab: Lab, tmp_path: Path, text: str) -> None:
    path = tmp_path / "clouds.yaml"
    path.write_text(text)
    with pytest.raises(BadCloudsFile, match="that can be added to"):
        lab_logins.write(lab, [path])
    assert path.read_text() == text


def test_an_empty_file_is_fine(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "clouds.yaml").write_text("")
    lab_logins.write(lab, [tmp_path / "clouds.yaml"])
    assert "kilonova" in (tmp_path / "clouds.yaml").read_text()


def test_places(tmp_path: Path) -> None:
    system = tmp_path / "clouds.yaml"
    assert places({"SUDO_USER": "nobody-such"}, system) == [system]
    own = Path("~nobody").expanduser() / ".config/openstack/clouds.yaml"
    assert places({"SUDO_USER": "nobody"}, system) == [system, own]
    assert places({}, system)[0] == system
