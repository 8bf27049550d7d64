"""`make bench`: separate processes on MariaDB and RabbitMQ, driven over public HTTP; JSON lines out. docs/bench.md."""

import argparse
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import bench_crowd
import bench_placement
from deployment.client import Client, token, until
from deployment.cpu import busy_seconds, memory_mb, seconds_of
from deployment.services import CONTROL, Deployment, WontStart
from deployment.stack import NoStack, Stack

COMPUTE = "http://127.0.0.1:8774/v2.1"
IMAGE = "http://127.0.0.1:9292"
HUGE = 10_000_000


class Bench:
    """One running deployment and what is asked of it."""

    def __init__(self, deployment: Deployment, arguments: argparse.Namespace) -> None:
        self.url = COMPUTE
        self.deployment = deployment
        self.arguments = arguments
        self.login = deployment.stack.login()
        self.token, self.project = token(self.login)
        self.api = Client(COMPUTE, self.token)
        self.pids = deployment.pids()
        self.image = self._image()
        self._prepare()

    def _image(self) -> str:
        images = Client(IMAGE, self.token, version="")
        found = images.call("GET", "/v2/images?name=bench")["images"]
        if found:
            return str(found[0]["id"])
        body = {"name": "bench", "disk_format": "raw", "container_format": "bare", "visibility": "public"}
        made = images.call("POST", "/v2/images", body)
        images.put_bytes(f"/v2/images/{made['id']}/file", b"\0" * 65536)
        return str(made["id"])

    def _prepare(self) -> None:
        limits = {"instances": HUGE, "cores": HUGE, "ram": HUGE}
        self.api.call("PUT", f"/os-quota-sets/{self.project}", {"quota_set": limits})
        flavor = {"id": "bench", "name": "bench", "vcpus": 1, "ram": 64, "disk": 0}
        self.api.call("POST", "/flavors", {"flavor": flavor})
        until("a compute node", lambda: self.api.call("GET", "/os-hypervisors")["hypervisors"])
        time.sleep(2)  # the node's inventory reaches Placement after its record reaches the database

    def create(self, api: Client, name: str, **more: Any) -> str:
        server = {"name": name, "imageRef": self.image, "flavorRef": "bench", "networks": "none", **more}
        return str(api.call("POST", "/servers", {"server": server})["server"]["id"])

    def is_active(self, uuid: str) -> bool:
        found = self.api.call("GET", f"/servers/{uuid}")["server"]
        if found["status"] == "ERROR":
            raise RuntimeError(found["fault"])
        return bool(found["status"] == "ACTIVE")

    def count(self, status: str) -> int:
        return len(self.api.call("GET", f"/servers?status={status}&limit=1000")["servers"])

    @contextlib.contextmanager
    def measured(self, step: str, operations: int, **more: Any) -> Iterator[list[float]]:
        """Give seconds of single operations to the list; the line comes out at the end."""
        times: list[float] = []
        selects = bench_crowd.Statements()
        before, busy, own, begun = seconds_of(self.pids), busy_seconds(), time.process_time(), time.monotonic()
        yield times
        wall = time.monotonic() - begun
        after = seconds_of(self.pids)
        spent = {name: after[name] - before[name] for name in self.pids}
        foreign = busy_seconds() - busy - sum(spent.values()) - (time.process_time() - own)
        line: dict[str, Any] = {
            "step": step,
            "n": operations,
            "wall_s": round(wall, 2),
            "cpu_ms_per_op": {name: round(1000 * value / operations, 2) for name, value in spent.items()},
            "cpu_ms_per_op_control": round(1000 * sum(spent[name] for name in CONTROL) / operations, 2),
            "selects_per_op": selects.each(operations),
            "foreign_cpu_s": round(foreign, 2),
            **more,
        }
        if times:
            ordered = sorted(times)
            line["p50_ms"] = round(1000 * ordered[len(ordered) // 2], 2)
            line["p95_ms"] = round(1000 * ordered[int(len(ordered) * 0.95)], 2)
        print(json.dumps(line), flush=True)

    # -- the steps --
    def boot(self, count: int) -> None:
        """One by one: POST, then GET every 50 ms until ACTIVE; then the same for DELETE."""
        for warm in range(3):
            uuid = self.create(self.api, f"warm{warm}")
            until(uuid, lambda one=uuid: self.is_active(one))
        made = []
        with self.measured("boot_to_active", count) as times:
            for number in range(count):
                begun = time.monotonic()
                uuid = self.create(self.api, f"boot{number}")
                until(uuid, lambda one=uuid: self.is_active(one))
                times.append(time.monotonic() - begun)
                made.append(uuid)
        with self.measured("delete_to_gone", count) as times:
            for uuid in made:
                begun = time.monotonic()
                self.api.call("DELETE", f"/servers/{uuid}")
                until(uuid, lambda one=uuid: self.api.ask("GET", f"/servers/{one}")[0] == HTTPStatus.NOT_FOUND)
                times.append(time.monotonic() - begun)

    def burst(self, count: int) -> None:
        """Many at once; watched by one list a quarter second."""
        before = self.count("ACTIVE")
        with self.measured("burst_to_active", count, concurrency=8) as times:
            bench_crowd.crowd(
                lambda: Client(COMPUTE, self.token),
                count,
                8,
                lambda api, number: self.create(api, f"burst{number}"),
                times,
            )
            until("all ACTIVE", lambda: self.count("ACTIVE") >= before + count, seconds=300, pause=0.25)

    def accept(self, count: int) -> None:
        """The 202 alone: what would do the work stands still meanwhile."""
        workers = [self.pids["conductor"], self.pids["scheduler"]]
        before = self.count("ACTIVE")
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        try:
            with self.measured("accept", count) as times:
                for number in range(count):
                    begun = time.monotonic()
                    self.create(self.api, f"accept{number}")
                    times.append(time.monotonic() - begun)
        finally:
            for pid in workers:
                os.kill(pid, signal.SIGCONT)
        until("all ACTIVE", lambda: self.count("ACTIVE") >= before + count, seconds=300, pause=0.25)

    def lists(self, servers: int) -> None:
        """Fill up to ``servers``, then read."""
        missing = servers - self.count("ACTIVE")
        if missing > 0:
            with self.measured("fill_by_min_count", missing):
                for start in range(0, missing, 100):
                    size = min(100, missing - start)
                    self.create(self.api, f"fill{start}", min_count=size, max_count=size)
                until("all ACTIVE", lambda: self.count("ACTIVE") >= servers, seconds=600, pause=0.5)
        uuid = self.api.call("GET", "/servers?limit=1")["servers"][0]["id"]
        for step, path, count in (
            ("show", f"/servers/{uuid}", 400),
            ("detail_1000", "/servers/detail?limit=1000", 20),
            ("list_1000", "/servers?limit=1000", 30),
            ("detail_50", "/servers/detail?limit=50", 100),
            ("flavors", "/flavors/detail", 200),
        ):
            self.read(step, path, count, servers)

        host = self.api.call("GET", "/os-hypervisors/detail")["hypervisors"][0]["service"]["host"]
        for step, query in bench_crowd.FILTERS.items():
            self.read(step, f"/servers/detail?{query.format(host=host, image=self.image)}", 50, servers)

    def read(self, step: str, path: str, count: int, servers: int, *, api: Client | None = None) -> None:
        api = api or self.api
        for _warm in range(min(count, 10)):
            api.call("GET", path)
        with self.measured(step, count, servers=servers) as times:
            for _number in range(count):
                begun = time.monotonic()
                api.ask("GET", path)
                times.append(time.monotonic() - begun)

    def idle(self, seconds: int) -> None:
        """Processor time of a second in which nobody asks for anything; memory."""
        with self.measured("idle_second", seconds, pss_mb=memory_mb(self.pids)):
            time.sleep(seconds)


def arguments_of(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=", description=__doc__)
    parser.add_argument("--boots", type=int, default=40, help="servers one by one")
    parser.add_argument("--burst", type=int, default=60, help="servers at once")
    parser.add_argument("--accepts", type=int, default=60, help="servers for the cost of the 202 alone")
    parser.add_argument("--servers", type=int, default=1000, help="servers to list")
    parser.add_argument("--usage", type=int, default=10_000, help="servers in the usage reports; 0: leave this out")
    parser.add_argument(
        "--crowd", type=int, default=16, help="connections that run into a quota at once; 0: leave this out"
    )
    parser.add_argument("--idle", type=int, default=10, help="seconds")
    parser.add_argument("--nodes", type=int, default=4, help="compute nodes that the fake driver pretends")
    parser.add_argument("--workers", type=int, default=2, help="processes of nova-api and placement-api")
    parser.add_argument("--pids", type=Path, help="write the process groups here, for another load generator")
    parser.add_argument("--placement", action="store_true", help="placement alone; see --placement --help")
    parser.add_argument("--hold", action="store_true", help="start the services, then only wait for Ctrl-C")
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    if "--placement" in argv:
        return bench_placement.main(argv)
    arguments = arguments_of(argv)
    with tempfile.TemporaryDirectory(prefix="kilonova-bench-") as directory:
        try:
            stack = Stack.find()
            stack.up()
        except NoStack as error:
            print(f"bench: {error}", file=sys.stderr)
            return 1
        deployment = Deployment(Path(directory), stack, nodes=arguments.nodes, workers=arguments.workers)
        try:
            deployment.prepare()
            deployment.start()
            run(Bench(deployment, arguments), arguments)
        except WontStart as error:
            print(f"bench: {error}", file=sys.stderr)
            return 1
        finally:
            deployment.stop()
            stack.down()
    return 0


def run(bench: Bench, arguments: argparse.Namespace) -> None:
    if arguments.pids:
        groups = {name: [pid] for name, pid in bench.pids.items()}
        arguments.pids.write_text(json.dumps({"groups": groups, "control": list(CONTROL)}))
    if arguments.hold:
        print(f"The services run; configuration {bench.deployment.configuration}. Ctrl-C ends.", file=sys.stderr)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
        return
    bench.idle(arguments.idle)
    bench.boot(arguments.boots)
    bench.burst(arguments.burst)
    bench.accept(arguments.accepts)
    bench.lists(arguments.servers)
    if arguments.usage:
        bench_crowd.usage(bench, arguments.usage)
    if arguments.crowd:
        bench_crowd.quota(bench, arguments.crowd, 4 * arguments.crowd)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
