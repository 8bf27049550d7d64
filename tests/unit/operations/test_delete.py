import pytest
from tests.unit.operations.conftest import Bench, Maker

from kilonova.kit.clock import stamp
from kilonova.kit.errors import Conflict
from kilonova.operations import delete
from kilonova.operations.accepting import NoFields
from kilonova.operations.hosts import HostDown
from kilonova.operations.work import StepFailed
from kilonova.store import server_mappings


def test_everything_is_given_back_the_quota_once(bench: Bench, claimed: Maker) -> None:
    work = claimed("delete", host="one")
    row = {"cell_id": 1, "project_id": "project", "user_id": "user", "cores": 1, "ram": 128, "counted": True}
    with bench.store.api.write() as connection:
        limits = {"instances": 9, "cores": 9, "ram": 9999}
        wanted = {"instances": 1, "cores": 1, "ram": 128}
        assert server_mappings.reserve(connection, server_mappings.Demand("project", "user", wanted, limits))
        more = {"uuid": "s1", "created_at": stamp(bench.clock.now()), "confirmed": True}
        server_mappings.add(connection, [{**row, **more}])
    assert delete.run(work, NoFields()).deleted
    delete._forget_server(work, bench.row())
    assert bench.hosts.asked == [("one", "destroy")]
    assert bench.chooser.released == 1
    with bench.store.api.read() as connection:
        assert server_mappings.usage(connection, "project") == {"instances": 0, "cores": 0, "ram": 0}


def test_a_server_without_a_host_asks_none(bench: Bench, claimed: Maker) -> None:
    assert delete.run(claimed("delete"), NoFields()).deleted
    assert bench.hosts.asked == []


def test_a_host_that_is_down_holds_nothing_up(bench: Bench, claimed: Maker) -> None:
    bench.hosts.answers["destroy"] = HostDown(host="one")
    work = claimed("delete", host="one")
    assert delete.run(work, NoFields()).deleted
    work.settle()
    assert "down" in bench.steps(work.id)["host"]["result"]


def test_a_guest_that_cannot_be_removed_keeps_its_claim(bench: Bench, claimed: Maker) -> None:
    bench.hosts.answers["destroy"] = Conflict("stuck")
    with pytest.raises(StepFailed, match="stuck"):
        delete.run(claimed("delete", host="one"), NoFields())
    assert bench.chooser.released == 0
