"""What operations do while others are away, busy or in their way."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from tests.service.cloud import wait_for
from tests.service.operations.audit import audit, quota_errors, server_row
from tests.service.operations.crash import Fuse, Site

from kilonova.kit.errors import Unavailable
from kilonova.store.cell_tables import operations


@pytest.fixture(autouse=True)
def _calm(site: Site) -> Iterator[None]:
    yield
    site.faults.clear()
    site.network_api.interfere = lambda _verb, _resource: None


def operations_of(site: Site, uuid: str) -> list[Any]:
    with site.store.home.database.read() as connection:
        query = sa.select(operations).where(operations.c.server_uuid == uuid).order_by(operations.c.seq)
        return list(connection.execute(query).mappings())


def away(site: Site, *verbs: str) -> None:
    """The network service does not answer these calls on ports."""

    def interfere(verb: str, resource: str) -> None:
        if resource == "ports" and verb in verbs:
            raise Unavailable("Neutron is away")

    site.network_api.interfere = interfere


def test_a_build_waits_for_a_neighbour_that_is_away(site: Site) -> None:
    away(site, "create")
    uuid = site.create()
    with site.conducting(Fuse()):
        wait_for(lambda: operations_of(site, uuid)[0]["error"])
        assert server_row(site.world(), uuid)["vm_state"] == "building"
        site.network_api.interfere = lambda _verb, _resource: None
        site.until(uuid, "ACTIVE")
    assert audit(site.world(), uuid, "active") == []


def test_a_waiting_build_gives_way_to_a_delete_at_once(site: Site) -> None:
    away(site, "create")
    uuid = site.create()
    with site.conducting(Fuse()):
        wait_for(lambda: operations_of(site, uuid)[0]["attempts"] >= 2, 15)
        wait_for(lambda: operations_of(site, uuid)[0]["state"] == "queued")
        begun = time.monotonic()
        site.delete(uuid)
        site.until_gone(uuid)
        assert time.monotonic() - begun < 1.5
        site.settle(uuid)
    assert audit(site.world(), uuid, "deleted") == []


def test_an_undo_waits_for_a_neighbour_however_long(site: Site) -> None:
    site.faults.fail("create", prefix="doomed")
    site.network_api.interfere = lambda _verb, _resource: None
    uuid = site.create("doomed")
    with site.store.home.database.write() as connection:
        connection.execute(operations.update().where(operations.c.server_uuid == uuid).values(attempts=1000))
    broken = threading.Event()
    broken.set()

    def interfere(verb: str, resource: str) -> None:
        if verb == "delete" and resource == "ports" and broken.is_set():
            raise Unavailable("Neutron is away")

    site.network_api.interfere = interfere
    with site.conducting(Fuse()):
        wait_for(lambda: operations_of(site, uuid)[0]["error"])
        assert server_row(site.world(), uuid)["vm_state"] == "building"
        broken.clear()
        site.clock.skip(40)
        site.until(uuid, "ERROR")
        site.settle(uuid)
    assert audit(site.world(), uuid, "error") == []


def test_a_guest_that_cannot_be_removed_stays_its_servers(site: Site) -> None:
    site.faults.fail("create", prefix="stubborn")
    site.faults.fail("destroy")
    uuid = site.create("stubborn")
    with site.conducting(Fuse()):
        site.until(uuid, "ERROR")
        site.settle(uuid)
    row = server_row(site.world(), uuid)
    assert row["host"] in {"host1", "host2"}
    assert site.resources.allocation(uuid) is not None
    assert "could not be taken back" in operations_of(site, uuid)[0]["error"]
    site.faults.clear()
    site.delete(uuid)
    with site.conducting(Fuse()):
        site.until_gone(uuid)
        site.settle(uuid)
    assert audit(site.world(), uuid, "deleted") == []


def test_a_delete_waits_until_the_host_has_built(site: Site) -> None:
    site.faults.slow("create", 0.5)
    uuid = site.create()
    with site.conducting(Fuse()):
        wait_for(lambda: server_row(site.world(), uuid)["task_state"] == "spawning")
        site.delete(uuid)
        site.until_gone(uuid)
        site.settle(uuid)
    assert [o["state"] for o in operations_of(site, uuid)] == ["cancelled", "done"]
    assert audit(site.world(), uuid, "deleted") == []


def test_a_second_delete_changes_nothing(site: Site) -> None:
    uuid = site.create()
    site.delete(uuid)
    site.delete(uuid)
    with site.conducting(Fuse()):
        site.until_gone(uuid)
        site.settle(uuid)
    assert [o["state"] for o in operations_of(site, uuid)] == ["cancelled", "done"]
    assert audit(site.world(), uuid, "deleted") == []


def test_several_servers_of_one_request_are_built_each_once(site: Site) -> None:
    first = site.boot("many", wait=False, networks=[{"uuid": site.network}], min_count=5, max_count=5)
    reservation = server_row(site.world(), first["id"])["reservation_id"]
    with site.conducting(Fuse()), site.conducting(Fuse(), name="host2"):
        found = site.call("GET", f"/servers?reservation_id={reservation}").json["servers"]
        for server in found:
            site.until(server["id"], "ACTIVE")
    assert len(found) == 5
    assert [audit(site.world(), server["id"], "active") for server in found] == [[]] * 5
    assert quota_errors(site.world()) == []
