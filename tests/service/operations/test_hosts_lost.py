"""Hosts that go down in the middle of things, and what they find when they come back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.service.cloud import wait_for
from tests.service.operations.audit import audit, quota_errors, server_row
from tests.service.operations.crash import Fuse, Site

from kilonova.store.cell_tables import services


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Its own for each test: hosts are lost here."""
    made = Site(tmp_path)
    made.open()
    yield made
    made.stop()


def lose(site: Site, host: str) -> None:
    """The host vanishes, and everybody knows."""
    site.hosts[host].stop()
    with site.store.home.database.write() as connection:
        connection.execute(services.update().where(services.c.host == host).values(forced_down=True))


def find(site: Site, host: str) -> None:
    """It is back, with the guests it had."""
    with site.store.home.database.write() as connection:
        connection.execute(services.update().where(services.c.host == host).values(forced_down=False))
    site.restart(host)


def test_a_server_of_a_lost_host_can_be_deleted_and_the_host_cleans_up_later(site: Site) -> None:
    uuid = site.create()
    with site.conducting(Fuse()):
        site.until(uuid, "ACTIVE")
        host = server_row(site.world(), uuid)["host"]
        lose(site, host)
        site.delete(uuid)
        site.until_gone(uuid)
        site.settle(uuid)
        assert audit(site.world(), uuid, "deleted") == [f"guests are left on ['{host}']"]
        find(site, host)
        wait_for(lambda: audit(site.world(), uuid, "deleted") == [])
    assert quota_errors(site.world()) == []


def test_a_build_moves_on_when_its_host_is_lost_and_the_first_guest_goes(site: Site) -> None:
    fuse = Fuse("create:host:done")
    uuid = site.create()
    with site.conducting(fuse):
        wait_for(fuse.dead.is_set)
    first = server_row(site.world(), uuid)["host"]
    lose(site, first)
    site.clock.skip(2)
    with site.conducting(Fuse()):
        site.until(uuid, "ACTIVE")
        assert server_row(site.world(), uuid)["host"] != first
        assert audit(site.world(), uuid, "active") != []
        find(site, first)
        wait_for(lambda: audit(site.world(), uuid, "active") == [])


def test_a_failed_build_of_a_lost_host_leaves_nothing_when_the_host_is_back(site: Site) -> None:
    fuse = Fuse("create:host:done")
    uuid = site.create()
    with site.conducting(fuse):
        wait_for(fuse.dead.is_set)
    first = server_row(site.world(), uuid)["host"]
    for host in list(site.hosts):
        lose(site, host)
    site.clock.skip(2)
    with site.conducting(Fuse()):
        site.until(uuid, "ERROR")
        site.settle(uuid)
        assert audit(site.world(), uuid, "error") == [f"guests are left on ['{first}']"]
        find(site, first)
        wait_for(lambda: audit(site.world(), uuid, "error") == [])


def test_a_restarted_agent_keeps_guests_that_are_wanted_or_being_built(site: Site) -> None:
    running, building = site.create(), site.create()
    with site.conducting(Fuse()):
        site.until(running, "ACTIVE")
        site.until(building, "ACTIVE")
        fuse = Fuse("create:host:done")
    third = site.create()
    with site.conducting(fuse):
        wait_for(fuse.dead.is_set)
    site.clock.skip(2)
    with site.conducting(Fuse("create:claimed")):
        for host in list(site.hosts):
            site.restart(host)
            site.hosts[host].reporter.guests()
    site.clock.skip(2)
    with site.conducting(Fuse()):
        site.until(third, "ACTIVE")
    assert [audit(site.world(), uuid, "active") for uuid in (running, building, third)] == [[], [], []]
