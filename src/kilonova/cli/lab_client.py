"""The few API calls of ``kilonova up``, over keystoneauth: the first image and the first server."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from keystoneauth1 import session as sessions
from keystoneauth1.exceptions import ClientException
from keystoneauth1.identity import v3

from kilonova.cli.lab_files import Lab
from kilonova.kit.errors import KilonovaError, Unavailable

Say = Callable[[str], None]
_VERSION = {"OpenStack-API-Version": "compute 2.96"}


class NotInTime(Unavailable):
    """Something did not come about in time."""

    template = "{what} did not come about within {seconds} seconds"


class FirstServerFailed(KilonovaError):
    """The first server ended in ERROR; the words are its fault's."""

    template = "The server {name} failed: {reason}"


class LabClient:
    """Speaks to the lab as its administrator in the demo project."""

    def __init__(self, lab: Lab) -> None:
        auth = v3.Password(
            auth_url=lab.url(5000, "/v3"),
            username="admin",
            password=lab.passwords()["admin"],
            project_name="admin",
            user_domain_name="Default",
            project_domain_name="Default",
        )
        self._lab = lab
        self._session = sessions.Session(auth=auth)

    def _call(self, method: str, port: int, path: str, **details: Any) -> Any:
        answer = self._session.request(self._lab.url(port, path), method, headers=_VERSION, **details)
        return answer.json() if answer.content else None

    def compute_is_ready(self) -> bool:
        """A compute host has reported and Placement knows its inventory."""
        try:
            query = "/allocation_candidates?resources=VCPU:1,MEMORY_MB:64"
            answer = self._session.get(self._lab.url(8778, query), headers={"OpenStack-API-Version": "placement 1.39"})
            return bool(answer.json()["allocation_requests"])
        except ClientException:
            return False

    def image(self, name: str, path: Path) -> str:
        """The id of the active image of this name with this size, uploaded if it is not there."""
        for known in self._call("GET", 9292, f"/v2/images?name={name}")["images"]:
            if known["status"] == "active" and known["size"] == path.stat().st_size:
                return str(known["id"])
        body = {
            "name": name,
            "disk_format": "qcow2",
            "container_format": "bare",
            "visibility": "public",
            "min_ram": 96,
            "min_disk": 1,
            "hw_rng_model": "virtio",
            "os_distro": "debian",
        }
        made = self._call("POST", 9292, "/v2/images", json=body)
        with path.open("rb") as data:
            url = self._lab.url(9292, f"/v2/images/{made['id']}/file")
            self._session.put(url, data=data, headers={"Content-Type": "application/octet-stream"})
        return str(made["id"])

    def flavors(self) -> dict[str, str]:
        """The usual flavors by name, made if they are not there."""
        known = {f["name"]: f["id"] for f in self._call("GET", 8774, "/v2.1/flavors")["flavors"]}
        for ident, (name, ram, disk, vcpus) in enumerate(_FLAVORS, 1):
            if name not in known:
                flavor = {"name": name, "id": str(ident), "ram": ram, "disk": disk, "vcpus": vcpus}
                known[name] = self._call("POST", 8774, "/v2.1/flavors", json={"flavor": flavor})["flavor"]["id"]
        return known

    def network(self, name: str) -> str:
        """A network's id."""
        return str(self._call("GET", 9696, f"/v2.0/networks?name={name}")["networks"][0]["id"])

    def server(self, name: str) -> dict[str, Any] | None:
        """The server of this name that is not in ERROR; one that is makes room for a new one."""
        for found in self._call("GET", 8774, f"/v2.1/servers/detail?name=^{name}$")["servers"]:
            if found["status"] == "ERROR":
                self._call("DELETE", 8774, f"/v2.1/servers/{found['id']}")
            else:
                return dict(found)
        return None

    def boot(self, name: str, image: str, flavor: str, network: str) -> str:
        """Ask for a server; returns its id."""
        server = {"name": name, "imageRef": image, "flavorRef": flavor, "networks": [{"uuid": network}]}
        return str(self._call("POST", 8774, "/v2.1/servers", json={"server": server})["server"]["id"])

    def show(self, server: str) -> dict[str, Any]:
        """The server."""
        return dict(self._call("GET", 8774, f"/v2.1/servers/{server}")["server"])

    def action(self, server: str, name: str, body: Any = None) -> Any:
        """An action on the server."""
        return self._call("POST", 8774, f"/v2.1/servers/{server}/action", json={name: body})

    def until_active(self, server: str, say: Say, seconds: float = 300) -> dict[str, Any]:
        """Wait, saying each new state. Raises FirstServerFailed, NotInTime."""
        told = ""
        for _ in _patiently("The server's ACTIVE state", seconds):
            found = self.show(server)
            words = f"{found['status']}" + (
                f" ({found['OS-EXT-STS:task_state']})" if found["OS-EXT-STS:task_state"] else ""
            )
            if words != told:
                say(f"server {found['name']}: {words}")
                told = words
            if found["status"] == "ACTIVE" and found["OS-EXT-STS:task_state"] is None:
                return found
            if found["status"] == "ERROR":
                raise FirstServerFailed(name=found["name"], reason=found.get("fault", {}).get("message", "no reason"))
        raise AssertionError

    def console(self, server: str, lines: int) -> str:
        """The last lines of the console."""
        return str(self.action(server, "os-getConsoleOutput", {"length": lines})["output"])

    def until_ready(self, server: str, word: str, say: Say, seconds: float = 240) -> str:
        """Wait until the guest's console has ``word``; returns the console's last lines. Raises NotInTime."""
        told = time.monotonic()
        for _ in _patiently(f"The guest's line '{word}'", seconds):
            text = self.console(server, 40)
            if word in text:
                return text
            if time.monotonic() - told > 10:  # noqa: PLR2004  # a sign of life now and then
                say("the guest is still booting")
                told = time.monotonic()
        raise AssertionError

    def console_url(self, server: str) -> str:
        """A fresh URL of the server's screen."""
        body = {"remote_console": {"protocol": "vnc", "type": "novnc"}}
        found = self._call("POST", 8774, f"/v2.1/servers/{server}/remote-consoles", json=body)
        return str(found["remote_console"]["url"])


_FLAVORS = (
    # name, ram, disk, vcpus
    ("m1.tiny", 256, 1, 1),
    ("m1.small", 2048, 20, 1),
    ("m1.medium", 4096, 40, 2),
    ("m1.large", 8192, 80, 4),
)


def _patiently(what: str, seconds: float) -> Iterator[None]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield
        time.sleep(0.2)
    raise NotInTime(what=what, seconds=int(seconds))
