"""`make bench ARGS="--placement"`: placement alone, over MariaDB, with clouds of several sizes; JSON lines out."""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from deployment.client import Client, Refused, until
from deployment.cpu import busy_seconds, seconds_of
from deployment.stack import ROOT, NoStack, Stack, fresh_databases

from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.placement.store import tables as t
from kilonova.placement.store.sync import sync

PORT = 8798
CONSUMERS = 10
"""Of each provider, with three allocations each."""
COMMON_TRAITS = 30
ZONES = 10
_UUID = "CONCAT('{kind}0000000-0000-4000-8000-', LPAD(HEX({number}), 12, '0'))"
_HOST, _SERVER, _ZONE = "1", "2", "3"
_FILL = """
INSERT INTO aggregates (uuid) SELECT LOWER({zone_uuid}) FROM seq_1_to_{zones};
INSERT INTO resource_providers (id, uuid, name, generation, root_id, trait_list, updated_at)
  SELECT seq, LOWER({host_uuid}), CONCAT('host', seq), 3, seq, '{trait_list}', NOW() FROM seq_1_to_{size};
INSERT INTO inventories (provider_id, class_id, root_id, total, reserved, min_unit, max_unit, step_size,
  allocation_ratio, capacity, used, updated_at) SELECT seq, {class_id}, seq, {total}, 0, 1, {total}, 1, {ratio},
  {total} * {ratio}, {one} * {consumers}, NOW() FROM seq_1_to_{size};
INSERT INTO provider_traits (trait_id, provider_id, root_id) SELECT traits.id, seq, seq
  FROM seq_1_to_{size}, traits WHERE traits.id <= {common};
INSERT INTO provider_traits (trait_id, provider_id, root_id) SELECT {common} + 1, seq, seq
  FROM seq_1_to_{size} WHERE seq % 100 = 0;
UPDATE resource_providers SET trait_list = '{rare_list}' WHERE id % 100 = 0;
INSERT INTO provider_aggregates (aggregate_id, provider_id, root_id)
  SELECT (SELECT MIN(id) FROM aggregates) + seq % {zones}, seq, seq FROM seq_1_to_{size};
INSERT INTO consumers (id, uuid, generation, project_id, user_id, consumer_type, updated_at)
  SELECT seq, LOWER({server_uuid}), 1, CONCAT('project', seq % 1000), 'user', 'INSTANCE', NOW()
  FROM seq_1_to_{servers};
INSERT INTO allocations (consumer_id, provider_id, class_id, used, updated_at)
  SELECT seq, 1 + seq % {size}, {class_id}, {one}, NOW() FROM seq_1_to_{servers}
"""
_CLASSES = (("VCPU", 64, 4, 8), ("MEMORY_MB", 524288, 1, 16384), ("DISK_GB", 4000, 1, 100))
"""Name, total, ratio, what each consumer has."""
_CONFIGURATION = "[placement_database]\nconnection = {url}\n[api]\nauth_strategy = noauth2\n"
_FITS = "resources=VCPU:2,MEMORY_MB:4096,DISK_GB:20"


def uuid_of(kind: str, number: int) -> str:
    """As the filling statements make it."""
    return f"{kind}0000000-0000-4000-8000-{number:012x}"


def fill(database: Database, size: int) -> None:
    """Flat providers with rows straight into the tables: the API would take minutes."""
    with database.write() as connection:
        rows = connection.execute(sa.select(t.classes.c.name, t.classes.c.id))
        classes = {row.name: row.id for row in rows}
        names = connection.scalars(
            sa.select(t.traits.c.name).where(t.traits.c.id <= COMMON_TRAITS + 1).order_by(t.traits.c.id)
        ).all()
        values = {
            "size": size,
            "servers": size * CONSUMERS,
            "consumers": CONSUMERS,
            "zones": ZONES,
            "common": COMMON_TRAITS,
            "trait_list": json.dumps(sorted(names[:COMMON_TRAITS]), separators=(",", ":")),
            "rare_list": json.dumps(sorted(names), separators=(",", ":")),
            "zone_uuid": _UUID.format(kind=_ZONE, number="seq"),
            "host_uuid": _UUID.format(kind=_HOST, number="seq"),
            "server_uuid": _UUID.format(kind=_SERVER, number="seq"),
        }
        for statement in _FILL.split(";"):
            for name, total, ratio, one in _CLASSES if "{class_id}" in statement else _CLASSES[:1]:
                row = {"class_id": classes[name], "total": total, "ratio": ratio, "one": one}
                connection.exec_driver_sql(statement.format(**values, **row).replace("%", "%%"))
        for table in t.METADATA.sorted_tables:
            connection.exec_driver_sql(f"ANALYZE TABLE {table.name}").close()


@dataclass
class Bench:
    """A running placement-api over a filled database."""

    size: int
    pids: dict[str, int]
    traits: list[str]
    workers: int

    def __post_init__(self) -> None:
        self.api = Client(f"http://127.0.0.1:{PORT}", "admin", "")
        self.api._headers["OpenStack-API-Version"] = "placement 1.39"  # noqa: SLF001  # compute is what it is made for

    def measured(self, step: str, count: int, work: Callable[[int], object], warm: int = 8) -> None:
        """One line: processor time per operation."""
        for number in range(warm * self.workers):
            work(-1 - number)
        before, busy, own, begun = seconds_of(self.pids), busy_seconds(), time.process_time(), time.monotonic()
        for number in range(count):
            work(number)
        wall, after = time.monotonic() - begun, seconds_of(self.pids)
        spent = {name: after[name] - before[name] for name in self.pids}
        foreign = busy_seconds() - busy - sum(spent.values()) - (time.process_time() - own)
        line = {
            "step": step,
            "providers": self.size,
            "n": count,
            "cpu_ms_per_op": {name: round(1000 * value / count, 2) for name, value in spent.items()},
            "cpu_ms_per_op_control": round(1000 * sum(spent.values()) / count, 2),
            "wall_ms": round(1000 * wall / count, 2),
            "foreign_cpu_s": round(foreign, 2),
        }
        print(json.dumps(line), flush=True)

    def reads(self) -> None:
        """Candidates of several kinds, usages."""
        zone, common, rare = uuid_of(_ZONE, 1), self.traits[0], self.traits[COMMON_TRAITS]
        few = f"{_FITS}&limit=10"
        many = f"{_FITS}&limit=1000"
        for step, query, count in (
            ("limit_10", few, 100),
            ("limit_1000", many, 40),
            ("limit_1000_trait_of_all", f"{many}&required={common}", 40),
            ("limit_1000_without_trait", f"{many}&required=!{rare}", 40),
            ("limit_1000_zone", f"{many}&member_of={zone}", 40),
            ("limit_1000_trait_zone", f"{many}&required={common}&member_of={zone}", 40),
            ("limit_1000_rare_trait", f"{many}&required={rare}", 40),
            ("limit_1000_group", many.replace("resources=", "resources1="), 20),
            ("too_large", f"{_FITS.replace('VCPU:2', 'VCPU:65')}&limit=1000", 40),
            ("never_together", f"{_FITS}&required={rare}&required={self.traits[COMMON_TRAITS + 1]}&limit=1000", 40),
        ):
            self.measured(step, count, self._getter(f"/allocation_candidates?{query}"))
        self.measured("usages", 50, self._getter("/usages?project_id=project1&user_id=user"))

    def _getter(self, path: str) -> Callable[[int], object]:
        return lambda _number: self.api.ask("GET", path)

    def writes(self, count: int) -> None:
        """Claims of new consumers, one by one; and their end."""
        base = int(time.time()) * 100_000  # consumers that no run before this one made

        def body(number: int) -> dict[str, object]:
            host = uuid_of(_HOST, 1 + number % self.size)
            return {
                "allocations": {host: {"resources": {"VCPU": 1, "MEMORY_MB": 16, "DISK_GB": 1}}},
                "project_id": "bench",
                "user_id": "user",
                "consumer_generation": None,
                "consumer_type": "INSTANCE",
            }

        def path(number: int) -> str:
            return f"/allocations/{uuid_of(_SERVER, base + number)}"

        self.measured("put_allocations", count, lambda n: self.api.call("PUT", path(n), body(n)))
        self.measured("get_allocations", count, lambda n: self.api.call("GET", path(n)), warm=0)
        few = f"/allocation_candidates?{_FITS}&limit=1000"
        self.measured("delete_allocations", count, lambda n: self.api.call("DELETE", path(n)), warm=0)
        post = {uuid_of(_SERVER, base + 20_000 + n): body(n) for n in range(10)}
        empty = {consumer: {**one, "allocations": {}, "consumer_generation": 1} for consumer, one in post.items()}

        def post_and_undo(_number: int) -> None:
            self.api.call("POST", "/allocations", post)
            self.api.call("POST", "/allocations", empty)

        self.measured("post_10_and_undo", 20, post_and_undo)

        def boot(number: int) -> None:
            self.api.call("GET", few)
            self.api.call("PUT", path(number + 5000), body(number))

        self.measured("limit_1000_and_put", 30, boot)


def served(directory: Path, url: str, workers: int) -> subprocess.Popen[bytes]:
    """placement-api over a database."""
    configuration = directory / "placement.conf"
    configuration.write_text(_CONFIGURATION.format(url=url.replace("%", "%%")))
    words = ["--config-file", str(configuration), "--host", "127.0.0.1", "--port", str(PORT), "--workers", str(workers)]
    with (directory / "placement.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "kilonova.services.placement_api", *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=ROOT,
            start_new_session=True,
        )


def _answers() -> bool:
    try:
        return Client(f"http://127.0.0.1:{PORT}", "admin", "").ask("GET", "/")[0] == 200  # noqa: PLR2004
    except OSError:
        return False


def run(size: int, url: str, database_pid: int, workers: int, *, filled: bool) -> None:
    """All steps at one size, over an empty (or, ``filled``, a ready) database."""
    database = Database(DatabaseOptions(connection=url))
    if not filled:
        sync(database)
        fill(database, size)
    with database.read() as connection:
        traits = list(connection.scalars(sa.select(t.traits.c.name).order_by(t.traits.c.id)))
    database.dispose()
    with tempfile.TemporaryDirectory(prefix="kilonova-bench-") as directory:
        process = served(Path(directory), url, workers)
        try:
            until("placement-api", _answers, 30)
            bench = Bench(size, {"placement": process.pid, "mariadb": database_pid}, traits, workers)
            bench.reads()
            bench.writes(100)
        except Refused:
            sys.stderr.write(Path(directory, "placement.log").read_text()[-4000:])
            raise
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(20)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog='make bench ARGS="--placement …"', description=__doc__)
    parser.add_argument("--placement", action="store_true", help="what chose this bench")
    parser.add_argument("--sizes", default="20,1000,5000,50000", help="numbers of providers")
    parser.add_argument("--workers", type=int, default=2, help="processes of placement-api")
    parser.add_argument("--url", help="another MariaDB: SQLAlchemy URL with {name} for the database's name")
    parser.add_argument("--url-pid", type=int, help="its process id")
    parser.add_argument("--filled", action="store_true", help="the databases kilonova_placement_SIZE are there already")
    arguments = parser.parse_args(argv)
    try:
        for size in (int(word) for word in arguments.sizes.split(",")):
            name = f"kilonova_placement_{size}"
            if arguments.url:
                url, pid = arguments.url.format(name=name), arguments.url_pid
            else:
                stack = Stack.find()
                stack.up()
                url, pid = fresh_databases(name)[name], stack.pids()["mariadb"]
            run(size, url, pid, arguments.workers, filled=arguments.filled)
    except NoStack as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
