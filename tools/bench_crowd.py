"""Steps of `make bench` about many: filtered lists, usage of thousands of servers, and a quota that many run into."""

import contextlib
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pymysql
from deployment.client import Client
from deployment.stack import DATABASE

CELL = "kilonova_cell"
FILTERS = {
    "filter_name": "name=fill1&limit=50",
    "filter_status": "status=ACTIVE&limit=50",
    "filter_nothing": "status=ERROR&limit=50",
    "filter_host": "all_tenants=1&host={host}&limit=50",
    "filter_image": "image={image}&sort_key=display_name&sort_dir=asc&limit=50",
    "filter_since": "changes-since=2026-01-01T00:00:00Z&limit=50",
    "filter_tags": "tags=none&limit=50",
}
_SINCE = "start=2000-01-01T00:00:00"
_USERS = 10
"""Projects among which the seeded servers are spread."""


def connect() -> "pymysql.connections.Connection[Any]":
    host, port, user, password = DATABASE
    return pymysql.connect(host=host, port=port, user=user, password=password, database=CELL, autocommit=True)


def seed(uuid: str, count: int) -> None:
    """Copies of one server's row, by one statement: what makes servers is measured elsewhere."""
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = 'servers'"
            " AND column_name NOT IN ('id', 'uuid', 'project_id')",
            (CELL,),
        )
        columns = ", ".join(f"servers.`{name}`" for (name,) in cursor.fetchall())
        cursor.execute(
            f"INSERT INTO servers (uuid, project_id, {columns.replace('servers.', '')})"
            f" SELECT UUID(), CONCAT('usage', MOD(seq, {_USERS})), {columns} FROM servers JOIN seq_1_to_{count}"
            " WHERE uuid = %s",
            (uuid,),
        )
        cursor.execute("ANALYZE TABLE servers")


class Statements:
    """SELECTs that the database server saw since this was made, whoever sent them: heartbeats are among them."""

    def __init__(self) -> None:
        self._connection = connect()
        self._begun = self._now()

    def _now(self) -> int:
        with self._connection.cursor() as cursor:
            cursor.execute("SHOW GLOBAL STATUS LIKE 'Com_select'")
            (row,) = cursor.fetchall()
        return int(row[1])

    def each(self, operations: int) -> float:
        """SELECTs an operation; ends the count."""
        total = self._now() - self._begun
        self._connection.close()
        return round(total / operations, 2)


def usage(bench: Any, count: int) -> None:
    """Everybody's usage and one project's, with each server, with ``count`` servers there."""
    seed(bench.api.call("GET", "/servers?status=ACTIVE&limit=1")["servers"][0]["id"], count)
    whole = Client(bench.url, bench.token, "2.39")
    for step, api, path, times in (
        ("usage_all", whole, f"/os-simple-tenant-usage?{_SINCE}&detailed=1", 3),
        ("usage_page", bench.api, f"/os-simple-tenant-usage?{_SINCE}&detailed=1&limit=1000", 10),
        ("usage_project", whole, f"/os-simple-tenant-usage/usage1?{_SINCE}", 10),
        ("usage_project_page", bench.api, f"/os-simple-tenant-usage/usage1?{_SINCE}&limit=100", 30),
    ):
        bench.read(step, path, times, count, api=api)


def quota(bench: Any, threads: int, room: int) -> None:
    """Twice as many requests as the quota has room for: exactly ``room`` are accepted."""
    used = bench.api.call("GET", "/limits?reserved=1")["limits"]["absolute"]["totalInstancesUsed"]
    bench.api.call("PUT", f"/os-quota-sets/{bench.project}", {"quota_set": {"instances": used + room}})
    answers: list[int] = []
    body = {"name": "quota", "imageRef": bench.image, "flavorRef": "bench", "networks": "none"}

    def one(api: Client, _number: int) -> None:
        answers.append(api.ask("POST", "/servers", {"server": body})[0])

    with bench.measured("quota_crowd", 2 * room, threads=threads, room=room) as times:
        crowd(lambda: Client(bench.url, bench.token), 2 * room, threads, one, times)
    accepted, refused = answers.count(HTTPStatus.ACCEPTED), answers.count(HTTPStatus.FORBIDDEN)
    if (accepted, refused) != (room, room):
        raise RuntimeError(f"the quota has room for {room}: {accepted} were accepted, {refused} refused of {2 * room}")


def crowd(
    client: Callable[[], Client], count: int, threads: int, work: Callable[[Client, int], object], times: list[float]
) -> None:
    """``count`` calls of ``work`` from that many threads, each with a connection of its own."""
    numbers = iter(range(count))
    lock = threading.Lock()

    def run() -> None:
        with contextlib.closing(client()) as api:
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                begun = time.monotonic()
                work(api, number)
                times.append(time.monotonic() - begun)

    workers = [threading.Thread(target=run) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
