"""Break what our services stand on, under load, and see that nothing is stuck, lost or left behind.

    python tools/failure.py [--real] [--minutes 10] [--servers 100] [--pause 60] [SCENARIO ...]

Real MariaDB, RabbitMQ, memcached, Keystone and Glance (the companion services beside the checkout), networks and
volumes of the lab or, with --real, of the companion Neutron and Cinder, our own programs as processes, and three
compute hosts that pretend. Needs root, and the well-known ports free: where others work, give it a network namespace
and a STACK_HOME of its own. What it found: docs/failure.md.
"""

import argparse
import contextlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "src")]

from deployment import stack as deployed  # noqa: E402  # the folder is on the path only now
from deployment.client import until  # noqa: E402  # the same
from deployment.databases import PASSWORD  # noqa: E402  # the same
from deployment.galera import PORT, Cluster  # noqa: E402  # the same
from deployment.stack import NoStack, Stack  # noqa: E402  # the same
from failing import truth  # noqa: E402  # the same
from failing.load import Load  # noqa: E402  # the same
from failing.neighbours import Companion, Lab, Neighbours  # noqa: E402  # the same
from failing.site import CONDUCTORS, HOSTS, Site  # noqa: E402  # the same

PATIENCE = 90
"""Seconds: the quota of a request whose process died between two databases is given back after 60 to 80."""


@dataclass(frozen=True)
class Measure:
    """How long and how much."""

    minutes: float = 10
    servers: int = 100
    pause: float = 60


@dataclass
class Outcome:
    """One scenario's line in the table."""

    name: str
    accepted: int = 0
    refused: int = 0
    failed: int = 0
    works_again: float = 0.0
    """Seconds after the fault until a new server was ACTIVE."""
    at_rest: float = 0.0
    """Seconds after the fault until nothing was under way any more."""
    clean: float = 0.0
    """Seconds after the fault until nothing was left over."""
    wrong: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    """Of failed operations, with their number."""


Fault = Callable[[Site, Measure], None]


def _neighbour_dies(name: str, number: int) -> Fault:
    def fault(site: Site, measure: Measure) -> None:
        site.kill_neighbour(name, number)
        time.sleep(min(measure.pause, 10))
        site.revive_neighbours()

    return fault


def _proxied(name: str, how: str) -> Fault:
    def fault(site: Site, measure: Measure) -> None:
        proxy = site.proxies[name]
        with {"slow": lambda: proxy.slow(5), "failing": proxy.failing, "gone": proxy.gone}[how]():
            time.sleep(measure.pause)

    return fault


def _random_kills(site: Site, measure: Measure) -> None:
    """One program after the other, each started again at once."""
    chance = random.Random(1)
    ends = time.monotonic() + measure.minutes * 60
    while time.monotonic() < ends:
        name = chance.choice((*CONDUCTORS, *HOSTS, "scheduler", "api"))
        site.kill(name)
        time.sleep(chance.uniform(0, 3))
        site.start(name)
        time.sleep(chance.uniform(2, 8))


def _full_disk(site: Site, measure: Measure) -> None:
    """The disk of a host is full; later there is room again."""
    place = site.directory / HOSTS[0]
    ballast = place / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 4096)
    time.sleep(measure.pause)
    ballast.unlink()


def _clock_skew(site: Site, measure: Measure) -> None:
    """One conductor's clock is half a minute ahead, longer than a lease; the host that is asked is a minute behind."""
    for name, offset in ((CONDUCTORS[1], "+30s"), (HOSTS[2], "-60s")):
        library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
        site.environments[name] = {"LD_PRELOAD": str(library), "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        site.kill(name)
        site.start(name)
    time.sleep(measure.pause)
    for name in (CONDUCTORS[1], HOSTS[2]):
        site.environments.pop(name)
        site.kill(name)
        site.start(name)


def _galera(site: Site, measure: Measure) -> None:
    """The node that serves is killed and comes back; then the next one."""
    if site.cluster is not None:
        for _ in range(2):
            site.cluster.lose_one(measure.pause)
        if site.cluster.size() != len(site.cluster.nodes):
            raise RuntimeError(f"the cluster has {site.cluster.size()} nodes")


SCENARIOS: dict[str, Fault] = {
    "nothing": lambda _site, _measure: None,
    "rabbitmq-restarted": _neighbour_dies("rabbitmq", signal.SIGTERM),
    "rabbitmq-killed": _neighbour_dies("rabbitmq", signal.SIGKILL),
    "mariadb-restarted": _neighbour_dies("mariadb", signal.SIGTERM),
    "mariadb-killed": _neighbour_dies("mariadb", signal.SIGKILL),
    "memcached-gone": _neighbour_dies("memcached", signal.SIGKILL),
    **{
        f"{name}-{how}": _proxied(place, how)
        for name, place in (("keystone", "identity"), ("glance", "image"), ("neutron", "network"), ("cinder", "volume"))
        for how in ("slow", "failing", "gone")
    },
    "random-kills": _random_kills,
    "disk-full": _full_disk,
    "clock-skew": _clock_skew,
}
CLUSTERED: dict[str, Fault] = {"galera-node-killed": _galera}
"""On databases of their own."""


def run(site: Site, name: str, measure: Measure) -> Outcome:
    """One scenario from an empty cloud to an empty cloud."""
    outcome, load = Outcome(name), Load(site)
    load.start()
    load.burst(measure.servers)
    time.sleep(1)
    {**SCENARIOS, **CLUSTERED}[name](site, measure)
    begun = time.monotonic()
    try:
        outcome.works_again = _works_again(site, begun)
        load.stop()
        outcome.at_rest = _at_rest(begun)
        outcome.wrong, outcome.clean = _looked(site, load.accepted, begun)
    except (TimeoutError, RuntimeError) as error:
        outcome.wrong.append(str(error))
        load.stop()
    reasons = truth.reasons()
    outcome.reasons = [f"{count:5} x {words}" for words, count in reasons.most_common(5)]
    outcome.reasons += [f"{count:5} requests were answered {code or 0}" for code, count in load.refused.items()]
    outcome.accepted, outcome.refused, outcome.failed = len(load.accepted), sum(load.refused.values()), reasons.total()
    outcome.wrong += [*_emptied(site), *truth.told_secrets(site)]
    return outcome


def _works_again(site: Site, begun: float) -> float:
    load = Load(site)

    def made() -> bool:
        with contextlib.suppress(Exception):
            client = site.client()
            server = client.call("POST", "/servers", load.body("probe"))["server"]["id"]
            until("a server", lambda: client.call("GET", f"/servers/{server}")["server"]["status"] != "BUILD", 120, 0.2)
            return bool(client.call("GET", f"/servers/{server}")["server"]["status"] == "ACTIVE")
        return False

    until("a server can be made again", made, 300, 0.5)
    return time.monotonic() - begun


def _at_rest(begun: float) -> float:
    def ended() -> bool:
        with contextlib.suppress(OSError, RuntimeError):
            return truth.open_operations() == 0
        return False

    until("every operation has ended", ended, 600, 0.5)
    return time.monotonic() - begun


def _looked(site: Site, accepted: set[str], begun: float) -> tuple[list[str], float]:
    """What stays wrong while hosts compare what they have with what is wanted, and requests that died half-way age."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = truth.wrong(site, accepted)
        if not found or time.monotonic() > deadline:
            return found, time.monotonic() - begun
        time.sleep(2)


def _emptied(site: Site) -> list[str]:
    """Every server deleted; what is left then. The journal is emptied for the next scenario."""
    api = site.client()

    def none_left() -> bool:
        left = api.call("GET", "/servers?all_tenants=1&limit=1000")["servers"]
        for server in left:
            api.ask("DELETE", f"/servers/{server['id']}")
        return not left

    try:
        until("all servers are gone", none_left, 300, 2)
    except TimeoutError as error:
        return [str(error)]
    found = _looked(site, set(), time.monotonic())[0]
    for table in ("operation_steps", "operations"):
        truth.query("kilonova_cell", f"DELETE FROM {table}")
    return [f"emptied: {line}" for line in found]


def table(outcomes: list[Outcome]) -> str:
    """For people."""
    head = ("scenario", "accepted", "refused", "failed", "works again", "at rest", "clean", "wrong")
    rows = [
        (
            o.name,
            str(o.accepted),
            str(o.refused),
            str(o.failed),
            f"{o.works_again:.1f} s",
            f"{o.at_rest:.1f} s",
            f"{o.clean:.1f} s",
            str(len(o.wrong)) if o.wrong else "-",
        )
        for o in outcomes
    ]
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    padded = ((word.ljust(width) for word, width in zip(row, widths, strict=True)) for row in (head, *rows))
    return "\n".join("  ".join(row) for row in padded)


@contextlib.contextmanager
def opened(directory: Path, neighbours: Neighbours, cluster: Cluster | None = None) -> Iterator[Site]:
    """The deployment; the first host's disk is a small one."""
    stack = Stack.find()
    stack.up(*neighbours.parts)
    site = Site(directory, stack, neighbours)
    if cluster is not None:
        site.cluster = cluster
        cluster.open()
        deployed.DATABASE = ("127.0.0.1", PORT, "root", PASSWORD)
    disk = directory / HOSTS[0]
    disk.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], check=True)
    try:
        site.open()
        yield site
    finally:
        site.close()
        subprocess.run(["umount", str(disk)], check=False)
        if cluster is not None:
            cluster.close()
        stack.down()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = ", ".join(SCENARIOS)
    parser.add_argument("scenarios", nargs="*", choices=[*SCENARIOS, *CLUSTERED, []], metavar="SCENARIO", help=names)
    parser.add_argument("--minutes", type=float, default=Measure.minutes, help="of random kills")
    parser.add_argument(
        "--servers", type=int, default=Measure.servers, help="that are being built when the fault comes"
    )
    parser.add_argument("--pause", type=float, default=Measure.pause, help="seconds that a neighbour stays away")
    parser.add_argument(
        "--real", action="store_true", help="Neutron and Cinder of the companion services, not the lab's"
    )
    parser.add_argument("--keep", type=Path, help="directory for configurations and logs, kept")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is stopped
    measure = Measure(given.minutes, given.servers, given.pause)
    outcomes = []
    with contextlib.ExitStack() as stack:
        directory = given.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kilonova-failure-")))
        try:
            cluster = Cluster() if set(given.scenarios) & set(CLUSTERED) else None
            site = stack.enter_context(opened(directory, Companion() if given.real else Lab(), cluster))
        except NoStack as error:
            print(error)
            return 1
        for name in given.scenarios or SCENARIOS:
            outcomes.append(run(site, name, measure))
            print(table(outcomes[-1:]), *outcomes[-1].reasons, *outcomes[-1].wrong[:20], sep="\n", flush=True)
    print(table(outcomes))
    return 1 if any(outcome.wrong for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
