"""What ``kilonova up`` writes below its state directory: secrets once, and ``nova.conf`` of the all-in-one."""

import json
import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

USERS = ("admin", "demo", "nova", "placement", "glance", "neutron")


@dataclass(frozen=True)
class Lab:
    """The lab's place and ports."""

    state: Path
    offset: int = 0
    listen: str = "127.0.0.1"

    def url(self, port: int, path: str = "") -> str:
        """A service's URL."""
        return f"http://{self.listen}:{port + self.offset}{path}"

    @property
    def configuration(self) -> Path:
        """The all-in-one's ``nova.conf``."""
        return self.state / "nova.conf"

    def passwords(self) -> dict[str, str]:
        """Made at the first ``up`` and kept: user → password; ``metadata`` is a shared secret."""
        path = self.state / "secrets.json"
        if path.exists():
            known: dict[str, str] = json.loads(path.read_text())
            return known
        made = {name: secrets.token_urlsafe(12) for name in (*USERS, "metadata")}
        write_private(path, json.dumps(made, indent=1))
        return made


def write_private(path: Path, text: str, mode: int = 0o600) -> None:
    """Whole or not at all, and never readable by others for a moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path.with_suffix(".new"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    path.with_suffix(".new").replace(path)


def write_configuration(lab: Lab, virt_type: str, libvirt_uri: str) -> None:
    """``nova.conf`` with the sections of an ordinary deployment."""
    passwords = lab.passwords()
    text = "\n\n".join(
        f"[{section}]\n" + "\n".join(f"{name} = {value}" for name, value in options.items())
        for section, options in _sections(lab, passwords, virt_type, libvirt_uri).items()
    )
    write_private(lab.configuration, f"# Written by `kilonova up` at each start; changes here are lost.\n{text}\n")


def _login(lab: Lab, user: str) -> dict[str, Any]:
    return {
        "auth_type": "password",
        "auth_url": lab.url(5000, "/v3"),
        "username": user,
        "password": lab.passwords()[user],
        "project_name": "service",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
        "region_name": "RegionOne",
    }


def _sections(lab: Lab, passwords: Mapping[str, str], virt_type: str, uri: str) -> dict[str, dict[str, Any]]:
    databases = {"api_database": "nova_api", "database": "nova_cell1", "placement_database": "placement"}
    return {
        "DEFAULT": {
            "host": socket.gethostname(),
            "my_ip": lab.listen,
            "state_path": lab.state / "compute",
            "instances_path": lab.state / "instances",
            "compute_driver": "libvirt.LibvirtDriver",
            "transport_url": "local:",
            "sync_power_state_interval": 20,
        },
        "api": {"auth_strategy": "keystone"},
        **{name: {"connection": f"sqlite:///{lab.state}/{file}.sqlite"} for name, file in databases.items()},
        "keystone_authtoken": {
            **_login(lab, "nova"),
            "www_authenticate_uri": lab.url(5000, "/v3"),
            "service_token_roles_required": "true",
        },
        "placement": _login(lab, "placement"),
        "glance": _login(lab, "nova"),
        "cinder": _login(lab, "nova"),
        "neutron": {
            **_login(lab, "neutron"),
            "service_metadata_proxy": "true",
            "metadata_proxy_shared_secret": passwords["metadata"],
        },
        "libvirt": {"virt_type": virt_type, "connection_uri": uri},
        "vnc": {
            "enabled": "true",
            "novncproxy_host": lab.listen,
            "novncproxy_port": 6080 + lab.offset,
            "novncproxy_base_url": lab.url(6080, "/vnc_lite.html"),
        },
        **_lab_sections(lab, passwords),
    }


def _lab_sections(lab: Lab, passwords: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Our own sections, which only the all-in-one reads."""
    return {
        "lab": {
            "directory": lab.state,
            "listen": lab.listen,
            "port_offset": lab.offset,
            "passwords": ",".join(f"{user}:{passwords[user]}" for user in USERS),
        },
        "lab_networks": {
            "host": socket.gethostname(),
            "state_path": lab.state / "networks",
            "metadata_url": lab.url(8775),
            "metadata_proxy_port": 9697 + lab.offset,
            "metadata_proxy_shared_secret": passwords["metadata"],
        },
    }
