"""The few API calls of ``kilonova up``, over keystoneauth: the first image and the first server."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from keystoneauth1 import session as sessions
from keystoneauth1.exceptions import ClientException
from keystoneauth1.identity import v3

from kilonova.cli.lab_files import Lab
from kilonova.kit.clock import Clock, SystemClock
from kilonova.kit.errors import KilonovaError, Unavailable

Say = Callable[[str], None]
_VERSION = {"OpenStack-API-Version": "compute 2.96"}


class NotInTime(Unavailable):
    """Something did not come about in time."""

    template = "{what} did not come about within {seconds} seconds"


class FirstServerFailed(KilonovaError):
    """The first server ended in ERROR; the words are its fault's."""

    template = "The server {name} failed: {reason}"


class Refused(KilonovaError):
    """The lab's services answered with an error, or not at all."""

    template = "{method} {url}: {reason}"


class NoNetwork(Unavailable):
    """Someone deleted the network of the first server."""

    template = "There is no network {name} for the first server; make one, or use --no-server"


def _session(lab: Lab) -> Any:
    auth = v3.Password(
        auth_url=lab.url(5000, "/v3"),
        username="admin",
        password=lab.passwords()["admin"],
        project_name="admin",
        user_domain_name="Default",
        project_domain_name="Default",
    )
    return sessions.Session(auth=auth)


class LabClient:
    """Speaks to the lab as its administrator, in the project admin."""

    def __init__(self, lab: Lab, session: Any = None, clock: Clock | None = None) -> None:
        """``session`` is keystoneauth's, for tests another one."""
        self._lab = lab
        self._session = session or _session(lab)
        self._clock = clock or SystemClock()

    def _call(self, method: str, port: int, path: str, **details: Any) -> Any:
        """The answer's document. Raises Refused."""
        headers = {**_VERSION, **details.pop("headers", {})}
        url = self._lab.url(port, path)
        try:
            answer = self._session.request(url, method, headers=headers, **details)
        except ClientException as error:
            raise Refused(method=method, url=url, reason=error) from error
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
        """The id of the one active image of this name with this size, uploaded if it is not there.

        What an interrupted upload left goes; an older edition gives up its name, so that the name stays unambiguous.
        """
        found = None
        for known in self._call("GET", 9292, f"/v2/images?name={name}")["images"]:
            if known["status"] != "active":
                self._call("DELETE", 9292, f"/v2/images/{known['id']}")
            elif known["size"] == path.stat().st_size and found is None:
                found = str(known["id"])
            else:
                change = [{"op": "replace", "path": "/name", "value": f"{name}-{known['created_at'][:10]}"}]
                self._call("PATCH", 9292, f"/v2/images/{known['id']}", json=change, headers=_PATCH)
        return found or self._upload(name, path)

    def _upload(self, name: str, path: Path) -> str:
        made = self._call("POST", 9292, "/v2/images", json={"name": name, **_IMAGE})
        with path.open("rb") as data:
            kind = {"Content-Type": "application/octet-stream"}
            self._call("PUT", 9292, f"/v2/images/{made['id']}/file", data=data, headers=kind)
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
        """A network's id. Raises NoNetwork."""
        for found in self._call("GET", 9696, f"/v2.0/networks?name={name}")["networks"]:
            return str(found["id"])
        raise NoNetwork(name=name)

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
        for _ in self._patiently("The server's ACTIVE state", seconds):
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

    def console(self, server: str) -> str:
        """The console's text, the latest 100 KiB of it."""
        return str(self.action(server, "os-getConsoleOutput", {})["output"])

    def until_ready(self, server: str, word: str, say: Say, *, after: str = "", seconds: float = 240) -> str:
        """Wait until the guest's console has a line with ``word``; returns the console's text. Raises NotInTime.

        The log outlives the guest's power cycles: ``after`` is its text before one, whose last such line counts not.
        """
        old = _lines(after, word)
        told = self._clock.monotonic()
        for _ in self._patiently(f"The guest's line '{word}'", seconds):
            text = self.console(server)
            if _lines(text, word)[-1:] not in ([], old[-1:]):
                return text
            if self._clock.monotonic() - told > _SIGN_OF_LIFE:
                say("the guest is still booting")
                told = self._clock.monotonic()
        raise AssertionError

    def console_url(self, server: str) -> str:
        """A fresh URL of the server's screen."""
        body = {"remote_console": {"protocol": "vnc", "type": "novnc"}}
        found = self._call("POST", 8774, f"/v2.1/servers/{server}/remote-consoles", json=body)
        return str(found["remote_console"]["url"])

    def _patiently(self, what: str, seconds: float) -> Iterator[None]:
        deadline = self._clock.monotonic() + seconds
        while self._clock.monotonic() < deadline:
            yield
            self._clock.sleep(0.2)
        raise NotInTime(what=what, seconds=int(seconds))


_SIGN_OF_LIFE = 10
_PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
_IMAGE = {
    "disk_format": "qcow2",
    "container_format": "bare",
    "visibility": "public",
    "min_ram": 96,
    "min_disk": 1,
    "hw_rng_model": "virtio",
    "os_distro": "debian",
}
_FLAVORS = (
    # name, ram, disk, vcpus
    ("m1.tiny", 256, 1, 1),
    ("m1.small", 2048, 20, 1),
    ("m1.medium", 4096, 40, 2),
    ("m1.large", 8192, 80, 4),
)


def _lines(text: str, word: str) -> list[str]:
    """Whole lines with ``word``."""
    return [line for line in text.splitlines(keepends=True) if word in line and line.endswith("\n")]
