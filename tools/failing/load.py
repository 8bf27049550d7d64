"""Users at work: servers made, used and removed by several threads, whatever the cloud answers."""

import http.client
import json
import random
import threading
import time
from collections import Counter
from typing import Any

from failing.site import Site

_ACTIONS: dict[str, tuple[Any, ...]] = {
    "ACTIVE": (
        {"os-stop": None},
        {"reboot": {"type": "HARD"}},
        {"pause": None},
        {"suspend": None},
        {"resize": None},
        "attach",
        "detach",
        "delete",
    ),
    "SHUTOFF": ({"os-start": None}, "delete"),
    "PAUSED": ({"unpause": None},),
    "SUSPENDED": ({"resume": None},),
    "VERIFY_RESIZE": ({"confirmResize": None}, {"revertResize": None}),
    "ERROR": ("delete",),
}
_TOO_BAD = 500
COMPUTE_PORT = 8774


class Caller:
    """A client that is not put off by anything, for one thread."""

    def __init__(self, site: Site, load: "Load") -> None:
        self._site = site
        self._load = load
        self._connection: http.client.HTTPConnection | None = None

    def call(self, method: str, path: str, body: Any = None, *, port: int = COMPUTE_PORT) -> tuple[int, Any]:
        """Status and document; status 0 when there was no answer."""
        headers = {"X-Auth-Token": self._site.word, "Content-Type": "application/json"}
        headers["OpenStack-API-Version"] = "compute 2.90"
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=90)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            reply = connection.getresponse()
            data = reply.read()
        except (OSError, http.client.HTTPException):
            return 0, None
        finally:
            connection.close()
        if port == COMPUTE_PORT and method != "GET":
            self._load.note(reply.status, reply.headers["X-OpenStack-Request-ID"] or "")
        return reply.status, json.loads(data) if data[:1] in (b"{", b"[") else None


class Load:
    """``threads`` users with up to ``most`` servers each."""

    def __init__(self, site: Site, threads: int = 6, most: int = 6) -> None:
        self.site = site
        self.accepted: set[str] = set()
        """Request ids that were answered with success."""
        self.refused: Counter[int] = Counter()
        """By status; 0 is no answer."""
        self._most = most
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._work, args=(n,), daemon=True) for n in range(threads)]

    def note(self, status: int, request_id: str) -> None:
        """What a request that changes something was answered."""
        with self._lock:
            if http.client.OK <= status < http.client.MULTIPLE_CHOICES:
                self.accepted.add(request_id)
            else:
                self.refused[status] += 1

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish the requests that are under way."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def body(self, name: str, count: int = 1) -> dict[str, Any]:
        """A request for servers."""
        site = self.site
        server = {"name": name, "imageRef": site.image, "flavorRef": site.flavor, "networks": [{"uuid": site.network}]}
        return {"server": {**server, "min_count": count, "max_count": count}}

    def burst(self, count: int) -> None:
        """Many servers at once."""
        caller = Caller(self.site, self)
        for number in range(0, count, 10):
            status, _ = caller.call("POST", "/v2.1/servers", self.body(f"burst{number}", min(10, count - number)))
            if status != http.client.ACCEPTED:
                raise RuntimeError(f"the burst was refused: {status}")

    def _work(self, number: int) -> None:
        caller, mine = Caller(self.site, self), list[str]()
        chance = random.Random(number)
        while not self._stop.is_set():
            if len(mine) < self._most and chance.random() < 0.5:  # noqa: PLR2004  # half of the time
                status, document = caller.call("POST", "/v2.1/servers", self.body(f"user{number}"))
                if status == http.client.ACCEPTED:
                    mine.append(document["server"]["id"])
            elif mine:
                status = self._use(caller, chance, mine)
            else:
                status = http.client.OK
            time.sleep(0.5 if status == 0 or status >= _TOO_BAD else 0.05)

    def _use(self, caller: Caller, chance: random.Random, mine: list[str]) -> int:
        uuid = chance.choice(mine)
        status, document = caller.call("GET", f"/v2.1/servers/{uuid}")
        if status == http.client.NOT_FOUND:
            mine.remove(uuid)
        if status != http.client.OK or document["server"]["OS-EXT-STS:task_state"] is not None:
            return status
        action = chance.choice(_ACTIONS.get(document["server"]["status"], ("delete",)))
        path = f"/v2.1/servers/{uuid}"
        if action == "delete":
            return caller.call("DELETE", path)[0]
        if action == "attach":
            return self._attach(caller, chance, uuid)
        if action == "detach":
            volumes = document["server"]["os-extended-volumes:volumes_attached"]
            return caller.call("DELETE", f"{path}/os-volume_attachments/{volumes[0]['id']}")[0] if volumes else 200
        if "resize" in action:
            action = {"resize": {"flavorRef": self.site.larger}}
        return caller.call("POST", f"{path}/action", action)[0]

    def _attach(self, caller: Caller, chance: random.Random, uuid: str) -> int:
        """A volume that nobody has; another user may be quicker."""
        volume = chance.choice(self.site.volumes)
        path = f"/v3/{self.site.project}/volumes/{volume}"
        status, document = caller.call("GET", path, port=self.site.ports["volume"])
        if status != http.client.OK or document["volume"]["status"] != "available":
            return status
        body = {"volumeAttachment": {"volumeId": volume}}
        return caller.call("POST", f"/v2.1/servers/{uuid}/os-volume_attachments", body)[0]
