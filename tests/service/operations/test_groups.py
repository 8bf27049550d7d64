"""Server groups keep their rule when several conductors place members at the same moment."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests.service.operations.audit import audit, quota_errors, server_row
from tests.service.operations.crash import Fuse, Site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Conductors that work on one operation at a time, so that two of them share the work."""
    made = Site(tmp_path_factory.mktemp("site"), executor_thread_pool_size=1)
    made.open()
    yield made
    made.stop()


def group(site: Site, policy: str) -> str:
    body = {"server_group": {"name": policy, "policy": policy}}
    result = site.call("POST", "/os-server-groups", body)
    assert result.status_code == 200, result.text
    return str(result.json["server_group"]["id"])


def boot_in(site: Site, group_id: str) -> str:
    body = {
        "server": {"name": "member", "imageRef": site.image.id, "flavorRef": "1", "networks": "none"},
        "os:scheduler_hints": {"group": group_id},
    }
    result = site.call("POST", "/servers", body)
    assert result.status_code == 202, result.text
    return str(result.json["server"]["id"])


class Meeting:
    """Placement, where the claims of two conductors are made in the same moment: after both have chosen."""

    def __init__(self, resources: Any) -> None:
        self._resources = resources
        self._barrier = threading.Barrier(2)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._resources, name)

    def claim(self, wanted: Any) -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            self._barrier.wait(0.5)
            self._resources.claim(wanted)
            self._barrier.wait(0.5)
            return
        if self._resources.allocation(wanted.consumer) is None:
            self._resources.claim(wanted)


@pytest.mark.parametrize("policy", ["anti-affinity", "affinity"])
def test_conductors_that_choose_at_once_keep_the_rule(site: Site, policy: str) -> None:
    usual = site.others
    for _ in range(3):
        name = group(site, policy)
        members = [boot_in(site, name), boot_in(site, name)]
        site.others = replace(usual, resources=Meeting(usual.resources))
        with site.conducting(Fuse()), site.conducting(Fuse(), name="host2"):
            for member in members:
                site.until(member, "ACTIVE", 20)
        site.others = usual
        hosts = {server_row(site.world(), member)["host"] for member in members}
        assert len(hosts) == (2 if policy == "anti-affinity" else 1)
        assert [audit(site.world(), member, "active") for member in members] == [[], []]


def test_a_third_member_of_two_hosts_fails_and_keeps_nothing(site: Site) -> None:
    name = group(site, "anti-affinity")
    members = [boot_in(site, name) for _ in range(3)]
    with site.conducting(Fuse()):
        for member in members:
            site.settle(member)
    states = [server_row(site.world(), member)["vm_state"] for member in members]
    assert sorted(states) == ["active", "active", "error"]
    for member, state in zip(members, states, strict=True):
        assert audit(site.world(), member, state) == []
    assert quota_errors(site.world()) == []
