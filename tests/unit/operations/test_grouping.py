import threading
from contextlib import AbstractContextManager
from typing import Any

import pytest
from tests.unit.operations.conftest import Bench, Chooser, Maker

from kilonova.kit.clock import stamp
from kilonova.operations.grouping import GroupContended, placed_within_group
from kilonova.store import server_groups, servers

GROUP = "44444444-4444-4444-4444-444444444444"


class Rival(Chooser):
    """Somewhere else another member is placed between our choice and our record, ``times`` times."""

    def __init__(self, bench: Bench, times: int, where: str) -> None:
        super().__init__()
        self._bench, self._times, self._where = bench, times, where

    def group_lock(self, _group: str) -> AbstractContextManager[Any]:
        return threading.Lock()

    def place(self, request: Any) -> dict[str, Any]:
        hosts = request.group.hosts
        fits = [
            h for h in self.hosts if (h in hosts if request.group.policy == "affinity" and hosts else h not in hosts)
        ]
        found = {"host": fits[0], "node": fits[0]}
        if self._times:
            self._times -= 1
            with self._bench.cell.database.write() as connection:
                servers.update(connection, "rival", {"host": self._where})
        return found


class Request:
    def __init__(self, group: Any) -> None:
        self.group = group


def in_group(bench: Bench, policy: str, rules: str = "{}") -> None:
    bench.server("rival")
    now = stamp(bench.clock.now())
    row = {"uuid": GROUP, "name": "g", "policy": policy, "rules": rules, "project_id": "p", "user_id": "u"}
    with bench.store.api.write() as connection:
        server_groups.create(connection, {**row, "created_at": now})
        server_groups.add_members(connection, GROUP, ["s1", "rival"])


@pytest.mark.parametrize(
    ("policy", "rules", "where", "host"),
    [
        ("anti-affinity", "{}", "one", "two"),
        ("anti-affinity", '{"max_server_per_host":2}', "one", "one"),
        ("affinity", "{}", "two", "two"),
        ("soft-anti-affinity", "{}", "one", "one"),
    ],
)
def test_whoever_sees_a_broken_rule_chooses_anew(
    bench: Bench, claimed: Maker, policy: str, rules: str, where: str, host: str
) -> None:
    chooser = Rival(bench, 1, where)
    bench.with_tools(chooser=chooser)
    in_group(bench, policy, rules)
    found = placed_within_group(claimed(), GROUP, Request)  # type: ignore[arg-type]  # the group is all that is read
    assert (found["host"], chooser.released) == (host, 0 if host == "one" else 1)  # "one" was the first choice
    assert bench.row()["host"] == host


def test_a_contest_without_end_is_tried_later(bench: Bench, claimed: Maker) -> None:
    class Follower(Rival):
        def place(self, request: Any) -> dict[str, Any]:
            with bench.cell.database.write() as connection:
                servers.update(connection, "rival", {"host": "one"})
            return {"host": "one", "node": "one"}

    bench.with_tools(chooser=Follower(bench, 0, "one"))
    in_group(bench, "anti-affinity")
    with pytest.raises(GroupContended):
        placed_within_group(claimed(), GROUP, Request)  # type: ignore[arg-type]  # as above
    assert bench.row()["host"] is None
