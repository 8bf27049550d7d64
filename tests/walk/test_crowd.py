"""Limits hold when many ask at once: several processes of each service, on MariaDB and RabbitMQ."""

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from bench_crowd import crowd
from deployment.client import Client, token, until
from deployment.held import COMPUTE, seed
from deployment.services import Deployment
from deployment.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]
HOSTS = ("alpha", "beta", "gamma", "delta")


class Crowd:
    """Many callers of one project."""

    def __init__(self, deployment: Deployment) -> None:
        login = deployment.stack.login()
        self.word, self.project = token(login)
        self._api = seed(login, ("crowd",), {"crowd": (1, 64, 0)})
        self.ask = self._api.call
        (self.flavor,) = [f["id"] for f in self.ask("GET", "/flavors")["flavors"] if f["name"] == "crowd"]
        with contextlib.closing(Client("http://127.0.0.1:9292", self.word, version="")) as images:
            self.image = images.call("GET", "/v2/images?name=crowd")["images"][0]["id"]
        self.limit(1000)
        wanted = len(HOSTS) + 1
        until("all hosts", lambda: len(self.ask("GET", "/os-hypervisors")["hypervisors"]) == wanted)

    def close(self) -> None:
        self._api.close()

    def limit(self, instances: int) -> None:
        limits = {"instances": instances, "cores": 1000, "server_group_members": 1000}
        self.ask("PUT", f"/os-quota-sets/{self.project}", {"quota_set": limits})

    def create(self, count: int, **more: Any) -> Counter[int]:
        """So many requests at the same moment; status → how often."""
        server = {"name": "one", "imageRef": self.image, "flavorRef": self.flavor, "networks": "none"}
        answers: list[int] = []

        def one(api: Client, _number: int) -> None:
            answers.append(api.ask("POST", "/servers", {"server": server, **more})[0])

        crowd(lambda: Client(COMPUTE, self.word), count, count, one, [])
        return Counter(answers)

    def settled(self) -> list[dict[str, Any]]:
        """All servers, once nothing is being built."""

        def built() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = self.ask("GET", "/servers/detail?limit=1000")["servers"]
            return [] if any(one["status"] == "BUILD" for one in found) else found

        return list(until("the end of all builds", built, seconds=300, pause=1))

    def empty(self) -> None:
        for one in self.ask("GET", "/servers")["servers"]:
            self.ask("DELETE", f"/servers/{one['id']}")
        until("the end of all", lambda: not self.ask("GET", "/servers")["servers"], seconds=300, pause=1)


@pytest.fixture(scope="module")
def many(core: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    made = Deployment(tmp_path_factory.mktemp("deployment"), core, workers=2)
    try:
        made.prepare()
        made.start()
        made.start("conductor@second", *(f"compute@{host}" for host in HOSTS))
        with contextlib.closing(Crowd(made)) as found:
            yield found
    finally:
        made.stop()


def test_fifty_at_once_against_a_quota_of_twenty_give_twenty(many: Crowd) -> None:
    many.limit(20)
    assert many.create(50) == {202: 20, 403: 30}
    assert Counter(one["status"] for one in many.settled()) == {"ACTIVE": 20}
    many.empty()
    assert many.ask("GET", "/limits")["limits"]["absolute"]["totalInstancesUsed"] == 0


def test_members_of_an_anti_affinity_group_never_share_a_host(many: Crowd) -> None:
    many.limit(1000)
    body = {"server_group": {"name": "apart", "policy": "anti-affinity"}}
    group = many.ask("POST", "/os-server-groups", body)["server_group"]["id"]
    assert many.create(20, **{"os:scheduler_hints": {"group": group}}) == {202: 20}
    servers = many.settled()
    hosts = [one["OS-EXT-SRV-ATTR:host"] for one in servers if one["status"] == "ACTIVE"]
    assert len(hosts) == len(set(hosts)) == len(HOSTS) + 1
    assert Counter(one["status"] for one in servers) == {"ACTIVE": len(hosts), "ERROR": 20 - len(hosts)}
    assert all("No valid host" in one["fault"]["message"] for one in servers if one["status"] == "ERROR")
    many.empty()
