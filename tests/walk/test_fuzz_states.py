"""No input makes a 500 of servers in any state: the suite's fuzzing, for minutes, with servers that are there.

``FUZZ_SECONDS`` says for how long.
"""

import logging
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.service.cloud import Cloud, running
from tests.service.compute.test_fuzz import explore, know, table

from kilonova.clients.glance.facts import NewImage
from kilonova.domain import server as states
from kilonova.store import cell_tables

LOG = logging.getLogger(__name__)
pytestmark = pytest.mark.system
_SECONDS = float(os.environ.get("FUZZ_SECONDS", "300"))
_STATES = [state for state in states.VM_STATES if state != states.DELETED]
_TASKS = ("rebooting", "deleting", "spawning")
_TOKENS = (*["admin:project"] * 4, "user:project", "user:other")
_LIMITS = ("instances", "cores", "ram", "metadata_items", "key_pairs", "server_groups", "server_group_members")
_HUGE = 1_000_000


class Herd:
    """A server in each state, and some amid a task: again after each round of what was done to them."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.ids: list[str] = []
        self._asked = 0

    def renew(self) -> None:
        """Every hundredth time: servers that went are replaced, and all are in their state; then other things, too."""
        self._asked += 1
        if self._asked % 100 != 1:
            return
        if self._asked % 1000 == 1:
            new = NewImage(name="tiny", disk_format="qcow2", container_format="bare", visibility="public")
            self.cloud.image = self.cloud.images.add(new, b"data")  # the last one may have been deleted
            self._admin("DELETE", "/flavors/1", None)  # with whatever extra specs it was given
            self._admin("POST", "/flavors", {"flavor": {"id": "1", "name": "m1", "vcpus": 1, "ram": 128, "disk": 1}})
            self._enable()
            know(self.cloud, server_id=self.ids)
        limits = dict.fromkeys(_LIMITS, _HUGE)
        self._admin("PUT", "/os-quota-sets/project", {"quota_set": limits})
        self._admin("PUT", "/os-quota-class-sets/default", {"quota_class_set": limits})
        for number in range(len(_STATES) + len(_TASKS)):
            self._be_there(number)
        table = cell_tables.servers
        with self.cloud.store.home.database.write() as connection:
            for number, uuid in enumerate(self.ids):
                tasks = [None] * len(_STATES) + list(_TASKS)
                values = {"vm_state": [*_STATES, *["active"] * len(_TASKS)][number], "task_state": tasks[number]}
                connection.execute(table.update().where(table.c.uuid == uuid).values(locked_by=None, **values))

    def _be_there(self, number: int) -> None:
        if number < len(self.ids) and self.cloud.show(self.ids[number]).status_code == 200:
            return
        body = {"name": "herd", "imageRef": self.cloud.image.id, "flavorRef": "1", "networks": "none"}
        made = self.cloud.call("POST", "/servers", {"server": body})
        if made.status_code != 202:  # the fuzzing took the flavor or the host away
            return
        if number < len(self.ids):
            self.ids[number] = made.json["server"]["id"]
        else:
            self.ids.append(made.json["server"]["id"])

    def _enable(self) -> None:
        for service in self.cloud.call("GET", "/os-services", token="admin:admin").json["services"]:
            for change in ({"forced_down": False}, {"status": "enabled"}):
                self._admin("PUT", f"/os-services/{service['id']}", change)

    def _admin(self, method: str, path: str, body: Any) -> None:
        self.cloud.call(method, path, body, token="admin:admin")


@pytest.mark.timeout(_SECONDS + 300)
def test_no_state_and_no_input_make_a_500(tmp_path: Path) -> None:
    asked = [endpoint for endpoint in table() if endpoint.handler.__name__ != "gone"]
    with running(tmp_path) as cloud:
        cloud.flavor()
        herd = Herd(cloud)
        seen = explore(cloud, asked, _SECONDS, tokens=_TOKENS, between=herd.renew)
    answers: Counter[int] = Counter()
    for (_endpoint, status), count in seen.items():
        answers[status] += count
    reached = {endpoint for endpoint, status in seen if status < 300}
    LOG.warning("%d requests: %s", sum(answers.values()), dict(sorted(answers.items())))
    LOG.warning("%d of %d endpoints did something", len(reached), len(asked))
    LOG.warning("Never: %s", sorted({endpoint for endpoint, _status in seen} - reached))
    assert len(reached) > len(asked) / 2
