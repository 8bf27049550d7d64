"""Measures a running cloud over its public HTTP APIs; one JSON line a step, appended to --out too.

    make bench ARGS="--os-cloud kilonova --pids pids.json -n 50"

Steps: boot (POST /servers until ACTIVE, one by one), accept (its 202 alone), burst (several at once), show,
list (detail), delete.
``--pids FILE`` is {"groups": {name: [pid, …]}, "control": [name, …]}: with it every line has the CPU milliseconds an
operation took in each group of processes (their children included), and in all control groups together, which is the
figure to compare; wall times of a shared machine are not.
"""

import argparse
import http.client
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import local
from typing import Any
from urllib.parse import urlsplit

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = 1000
ERROR, GONE = 400, 404
POLL = 0.02


class Api:
    """The compute API, on one kept connection a thread."""

    def __init__(self, url: str, token: str, microversion: str) -> None:
        self._parts = urlsplit(url)
        version = {"OpenStack-API-Version": f"compute {microversion}"}
        self._headers = {"X-Auth-Token": token, "Accept": "application/json", **version}
        self._local = local()

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
        """Status and parsed body; raises RuntimeError for an unexpected status."""
        if not hasattr(self._local, "connection"):
            kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
            self._local.connection = kind(self._parts.netloc, timeout=300)
        connection = self._local.connection
        headers = {**self._headers, **({"Content-Type": "application/json"} if body is not None else {})}
        where = self._parts.path.rstrip("/") + path
        connection.request(method, where, None if body is None else json.dumps(body), headers)
        reply = connection.getresponse()
        data = reply.read()
        if reply.status >= ERROR and reply.status != GONE:
            raise RuntimeError(f"{method} {path}: {reply.status} {data[:300]!r}")
        return reply.status, json.loads(data) if data else None


class Groups:
    """CPU seconds of named groups of processes."""

    def __init__(self, path: Path | None) -> None:
        found = json.loads(path.read_text()) if path else {}
        self._groups: dict[str, list[int]] = found.get("groups", {})
        self._control: list[str] = found.get("control", list(self._groups))

    def seconds(self) -> dict[str, float]:
        parents, used = {}, {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            pid = int(stat.parent.name)
            parents[pid] = int(fields[1])
            used[pid] = (int(fields[11]) + int(fields[12])) / TICKS
        return {
            name: sum(used[pid] for pid in used if self._within(pid, set(roots), parents))
            for name, roots in self._groups.items()
        }

    @staticmethod
    def _within(pid: int, roots: set[int], parents: Mapping[int, int]) -> bool:
        while pid:
            if pid in roots:
                return True
            pid = parents.get(pid, 0)
        return False

    def report(self, before: Mapping[str, float], operations: int) -> dict[str, Any]:
        if not self._groups or not operations:
            return {}
        now = self.seconds()
        each = {name: round((now[name] - before[name]) * 1000 / operations, 3) for name in now}
        control = round(sum(each[name] for name in self._control), 3)
        return {"cpu_ms_per_op": each, "cpu_ms_per_op_control": control}


class Bench:
    """Runs steps and reports them."""

    def __init__(self, api: Api, groups: Groups, wanted: Mapping[str, Any], out: Path | None) -> None:
        self._api = api
        self._groups = groups
        self._wanted = wanted
        self._out = out
        self.servers: list[str] = []
        self.accepted: list[float] = []

    def step(self, name: str, operations: int, work: Callable[[int], object], *, concurrency: int = 1) -> int:
        """Run ``work(0)`` … ``work(operations - 1)``; returns the number of failures."""
        times: list[float] = []
        errors: list[str] = []

        def timed(number: int) -> None:
            begun = time.perf_counter()
            try:
                work(number)
            except (OSError, RuntimeError, http.client.HTTPException) as error:
                errors.append(str(error)[:200])
            else:
                times.append(time.perf_counter() - begun)

        before, begun = self._groups.seconds(), time.perf_counter()
        with ThreadPoolExecutor(concurrency) as pool:
            list(pool.map(timed, range(operations)))
        wall = time.perf_counter() - begun
        record = {"step": name, "n": len(times), "errors": len(errors), "concurrency": concurrency}
        record |= {"wall_s": round(wall, 3), "rate_per_s": round(len(times) / wall, 2), **quantiles(times)}
        self.emit({**record, **self._groups.report(before, len(times)), **({"error": errors[0]} if errors else {})})
        return len(errors)

    def emit(self, record: Mapping[str, Any]) -> None:
        line = json.dumps(record)
        print(line, flush=True)
        if self._out:
            with self._out.open("a") as out:
                out.write(line + "\n")

    def boot(self, number: int) -> None:
        begun = time.perf_counter()
        _, reply = self._api.call("POST", "/servers", {"server": {**self._wanted, "name": f"bench-{number}"}})
        self.accepted.append(time.perf_counter() - begun)
        server = reply["server"]["id"]
        self.servers.append(server)
        while True:
            _, shown = self._api.call("GET", f"/servers/{server}")
            status = shown["server"]["status"] if shown and "server" in shown else "gone"
            if status == "ACTIVE":
                return
            if status != "BUILD":
                raise RuntimeError(f"server {server} is {status}")
            time.sleep(POLL)

    def show(self, number: int) -> None:
        self._api.call("GET", f"/servers/{self.servers[number % len(self.servers)]}")

    def list_detail(self, _: int) -> None:
        self._api.call("GET", f"/servers/detail?limit={PAGE}")

    def delete(self, number: int) -> None:
        path = f"/servers/{self.servers[number]}"
        self._api.call("DELETE", path)
        while self._api.call("GET", path)[0] != GONE:
            time.sleep(POLL)

    def run(self, count: int, concurrency: int) -> int:
        """All steps with ``count`` servers each way; returns the number of failures."""
        failures = self.step("boot", count, self.boot)
        self.emit({"step": "accept", "n": len(self.accepted), **quantiles(self.accepted)})
        failures += self.step("burst", count, lambda number: self.boot(count + number), concurrency=concurrency)
        if self.servers:
            failures += self.step("show", 10 * count, self.show)
            failures += self.step("list", max(5, count // 2), self.list_detail)
        return failures + self.step("delete", len(self.servers), self.delete)


def quantiles(times: list[float]) -> dict[str, float]:
    """Milliseconds: p50, p95, mean, max."""
    if not times:
        return {}
    ordered = sorted(seconds * 1000 for seconds in times)
    at = {f"p{p}_ms": ordered[min(len(ordered) - 1, len(ordered) * p // 100)] for p in (50, 95)}
    return {
        key: round(value, 2)
        for key, value in {**at, "mean_ms": sum(ordered) / len(ordered), "max_ms": ordered[-1]}.items()
    }


def wanted(api: Api, options: argparse.Namespace) -> dict[str, Any]:
    """The body of POST /servers, with the flavor found by its name."""
    flavors = api.call("GET", "/flavors")[1]["flavors"]
    chosen = [flavor["id"] for flavor in flavors if options.flavor in {flavor["name"], flavor["id"]}]
    if not chosen:
        raise SystemExit(f"no flavor {options.flavor}")
    return {"flavorRef": chosen[0], "imageRef": options.image, "networks": options.networks}


def login(options: argparse.Namespace) -> tuple[str, str]:
    """Compute URL, token, and ``options.image`` turned into an id; from clouds.yaml and the catalog."""
    import openstack  # noqa: PLC0415  # slow to load and not needed with --url and --token

    cloud = openstack.connect(cloud=options.os_cloud)
    options.image = cloud.image.find_image(options.image, ignore_missing=False).id
    return cloud.compute.get_endpoint(), cloud.auth_token


def arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--os-cloud", default="kilonova", help="entry of clouds.yaml")
    parser.add_argument("--url", help="compute endpoint, instead of --os-cloud (with --token)")
    parser.add_argument("--token", help="token for --url")
    parser.add_argument("--microversion", default="2.104")
    parser.add_argument("--flavor", default="m1.tiny", help="name or id")
    parser.add_argument("--image", default="tinyguest", help="name or id (id with --url)")
    parser.add_argument("--networks", default="none", help="none or auto")
    parser.add_argument("-n", "--count", type=int, default=20, help="servers of each step")
    parser.add_argument("-c", "--concurrency", type=int, default=8, help="of the burst")
    parser.add_argument("--pids", type=Path, help="server processes by group")
    parser.add_argument("--out", type=Path, help="file that the lines are appended to")
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    options = arguments(argv)
    url, token = (options.url, options.token) if options.url else login(options)
    api = Api(url, token, options.microversion)
    bench = Bench(api, Groups(options.pids), wanted(api, options), options.out)
    return 1 if bench.run(options.count, options.concurrency) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
