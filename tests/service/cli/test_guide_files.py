"""The two `nova.conf` of the published guides, as they stand in `docs/install.md`, read by every program."""

import logging
from pathlib import Path

import pytest
from deployment.guide import GUIDE, blocks

from kilonova.agent.options import AgentOptions
from kilonova.clients.keystone.neighbours import neighbour
from kilonova.hypervisor.libvirt.options import GuestDisplayOptions, LibvirtOptions
from kilonova.kit.db.engine import DatabaseOptions
from kilonova.kit.options import Configuration, load
from kilonova.kit.sessions import Sessions
from kilonova.metadata.options import ProxyOptions
from kilonova.services import known_options
from kilonova.services.api import enabled
from kilonova.services.process import ProcessOptions, neighbours

CONTROLLER = ("nova-api", "nova-api-metadata", "nova-scheduler", "nova-conductor", "nova-novncproxy", "nova-manage")
PROGRAMS = [*(("controller", program) for program in CONTROLLER), ("compute", "nova-compute")]


def read(directory: Path, host: str, program: str) -> Configuration:
    [block] = [b for b in blocks(GUIDE.read_text()) if b.words == ("/etc/nova/nova.conf", host)]
    file = directory / "nova.conf"
    file.write_text(block.text)
    return load(program, ["--config-file", str(file)])


@pytest.mark.parametrize(("host", "program"), PROGRAMS)
def test_retired_options_are_told_once_and_nothing_else(
    tmp_path: Path, host: str, program: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        known_options.warn(read(tmp_path, host, program))
    told = [record.getMessage().split(" is of an older release")[0] for record in caplog.records]
    assert told == ["Option [glance] api_servers", "Option [DEFAULT] use_neutron", "Option [DEFAULT] firewall_driver"]


@pytest.mark.parametrize(("host", "address"), [("controller", "10.0.0.11"), ("compute", "10.0.0.31")])
def test_what_the_files_say_is_what_counts(tmp_path: Path, host: str, address: str) -> None:
    found = read(tmp_path, host, "nova-api")
    assert found.section(ProcessOptions).my_ip == address
    assert found.section(ProcessOptions).transport_url == "rabbit://openstack:RABBITPASS@controller"
    assert found.section(GuestDisplayOptions).server_proxyclient_address == address
    assert (
        found.section(DatabaseOptions, "api_database").connection == "mysql+pymysql://nova:NOVAPASS@controller/nova_api"
    )
    assert found.section(LibvirtOptions).virt_type == "kvm"
    assert found.section(AgentOptions).compute_driver is None  # which means libvirt
    sessions = Sessions(found)
    assert neighbour(sessions, "glance").location().url == "http://controller:9292"
    credentials = sessions.credentials("placement")
    assert credentials is not None
    assert credentials.section == "placement"
    assert neighbours(found).networks is not None
    assert [door.port for door in enabled(found)] == [8774, 8775]
    proxy = found.section(ProxyOptions)
    assert (proxy.service_metadata_proxy, proxy.metadata_proxy_shared_secret) == (
        (True, "METADATASECRET") if host == "controller" else (False, "")
    )
