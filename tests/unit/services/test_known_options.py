"""What is said about the options of a nova.conf."""

import ast
import logging
from pathlib import Path

import pytest

import kilonova
from kilonova.kit.options import load
from kilonova.services import known_options

ROOT = Path(kilonova.__file__).parent
OWN_FILES = ("placement/", "lab/", "services/all_in_one.py")
"""What reads files of its own, or is read by the program that is alone with them."""
FILE = """
[DEFAULT]
transport_url = rabbit://
rpc_response_timeout = 10
use_neutron = true
firewall_driver = nova.virt.firewall.NoopFirewallDriver
debug = true
enable_network_quota = true
[api_database]
connection = sqlite://
max_pool_size = 3
[keystone_authtoken]
anything = goes
[glance]
api_servers = http://g:9292
num_retries = 1
[neutron]
auth_type = password
default_floating_pool = x
[libvirt]
virt_type = qemu
cpu_model = none
[oslo_concurrency]
lock_path = /tmp
[vmware]
host_ip = 10.0.0.1
"""


def test_only_what_has_no_effect_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "nova.conf"
    path.write_text(FILE)
    with caplog.at_level(logging.WARNING):
        known_options.warn(load("nova-api", ["--config-file", str(path)]))
    told = [record.getMessage() for record in caplog.records]
    unknown = [line.split(" is ")[0] for line in told if "no effect" in line]
    retired = [line.split(" is ")[0] for line in told if "older release" in line]
    assert unknown == ["Option [DEFAULT] enable_network_quota", "Option [libvirt] cpu_model", "Option [vmware] host_ip"]
    assert retired == [
        "Option [glance] api_servers",
        "Option [DEFAULT] use_neutron",
        "Option [DEFAULT] firewall_driver",
    ]


def test_no_class_with_options_is_forgotten() -> None:
    names = {cls.__name__ for cls in known_options.sections()}
    texts = {str(path.relative_to(ROOT)): path.read_text() for path in sorted(ROOT.rglob("*.py"))}
    forgotten = [
        f"{path}: {node.name}"
        for path, text in texts.items()
        if "GROUP:" in text and not path.startswith(OWN_FILES)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ClassDef)
        and node.name not in names
        and any(isinstance(s, ast.AnnAssign) and getattr(s.target, "id", "") == "GROUP" for s in node.body)
    ]
    assert forgotten == []
