import stat
from pathlib import Path

from kilonova.cli.lab_files import USERS, Lab, write_configuration, write_private
from kilonova.console.options import NoVncOptions
from kilonova.kit.db.engine import DatabaseOptions
from kilonova.kit.options import Configuration, load
from kilonova.lab.networks.options import LabNetworkOptions
from kilonova.metadata.options import MetadataOptions
from kilonova.services.all_in_one import LabOptions


def configured(lab: Lab) -> Configuration:
    write_configuration(lab, "qemu", "qemu:///system")
    return load("kilonova", ["--config-file", str(lab.configuration)])


def test_passwords_are_made_once_and_are_private(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    made = lab.passwords()
    assert set(made) == {*USERS, "metadata"}
    assert len(set(made.values())) == len(made)
    assert Lab(tmp_path, offset=5).passwords() == made
    assert Lab(tmp_path / "other").passwords() != made
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600


def test_urls_have_the_offset(tmp_path: Path) -> None:
    assert Lab(tmp_path, offset=1000).url(5000, "/v3") == "http://127.0.0.1:6000/v3"


def test_services_read_the_configuration(tmp_path: Path) -> None:
    lab = Lab(tmp_path, offset=20000)
    found = configured(lab)
    options = found.section(LabOptions)
    assert options.port(8774) == 28774
    assert options.passwords == {user: lab.passwords()[user] for user in USERS}
    assert options.directory == str(tmp_path)
    assert found.section(DatabaseOptions, "api_database").connection == f"sqlite:///{tmp_path}/nova_api.sqlite"
    networks = found.section(LabNetworkOptions)
    assert networks.metadata_proxy_port == 29697
    assert networks.metadata_proxy_shared_secret == lab.passwords()["metadata"]
    assert MetadataOptions.of(found).proxy.metadata_proxy_shared_secret == lab.passwords()["metadata"]
    assert NoVncOptions.of(found).vnc.novncproxy_port == 26080


def test_the_configuration_is_private(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    write_configuration(lab, "kvm", "qemu:///system")
    assert stat.S_IMODE(lab.configuration.stat().st_mode) == 0o600
    assert "virt_type = kvm" in lab.configuration.read_text()


def test_private_files_are_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    write_private(path, "one")
    write_private(path, "two", 0o644)
    assert path.read_text() == "two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]
