from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from tests.unit.operations.conftest import Bench, Maker

from kilonova.clients.neutron.api import Row
from kilonova.clients.neutron.facts import NetworkRequest
from kilonova.clients.neutron.fake import FakeNetworkApi
from kilonova.clients.neutron.neutron import ApiNeutron
from kilonova.hypervisor.contracts import HypervisorUnavailable
from kilonova.kit import codec
from kilonova.kit.context import Context
from kilonova.kit.errors import Conflict, Unavailable
from kilonova.kit.rpc.contract import unwrap, wrap_error
from kilonova.operations import build
from kilonova.operations.build import Build
from kilonova.operations.hosts import HostDown
from kilonova.operations.work import StepFailed


def over_the_bus(error: Exception) -> Exception:
    """As it arrives from a host."""
    with pytest.raises(Exception) as caught:  # whatever it becomes
        unwrap(wrap_error(error))
    return caught.value


def test_a_server_is_placed_and_built(bench: Bench, claimed: Maker) -> None:
    outcome = build.run(claimed(), Build())
    assert (outcome.vm_state, outcome.values["power_state"]) == ("active", 1)
    assert bench.hosts.asked == [("one", "create")]
    assert (bench.row()["host"], bench.row()["task_state"]) == ("one", "spawning")


@pytest.mark.parametrize(
    "error",
    [
        Conflict("broken"),
        HostDown(host="one"),
        over_the_bus(HypervisorUnavailable(host="one", reason="no libvirtd")),
    ],
)
def test_the_next_host_is_tried_after_the_first_was_cleaned(bench: Bench, claimed: Maker, error: Exception) -> None:
    bench.hosts.answers["create@one"] = error
    outcome = build.run(claimed(), Build())
    assert outcome.vm_state == "active"
    assert bench.hosts.asked == [("one", "create"), ("one", "destroy"), ("two", "create")]
    assert bench.chooser.claimed == ["two"]
    assert bench.row()["host"] == "two"


def test_a_neighbour_of_the_host_that_is_away_is_waited_for(bench: Bench, claimed: Maker) -> None:
    bench.hosts.answers["create"] = over_the_bus(Unavailable("Glance is away"))
    with pytest.raises(Unavailable, match="Glance"):
        build.run(claimed(), Build())
    assert bench.hosts.asked == [("one", "create")]


def test_a_resumed_second_attempt_is_not_taken_back(bench: Bench, claimed: Maker) -> None:
    bench.hosts.answers["create@one"] = Conflict("broken")
    bench.hosts.answers["create@two"] = Unavailable("the conductor dies here")
    work = claimed()
    with pytest.raises(Unavailable):
        build.run(work, Build())
    released = bench.chooser.released
    bench.hosts.asked.clear()
    del bench.hosts.answers["create@two"]
    outcome = build.run(bench.work(work.id, "next"), Build())
    assert outcome.vm_state == "active"
    assert bench.hosts.asked == [("two", "create")]
    assert (bench.chooser.released, bench.chooser.claimed) == (released, ["two"])
    assert bench.row()["host"] == "two"


def test_the_reason_names_the_last_failure_when_hosts_run_out(bench: Bench, claimed: Maker) -> None:
    bench.hosts.answers["create"] = Conflict("broken")
    with pytest.raises(StepFailed, match=r"2 hosts failed .* Last error: Host two: broken"):
        build.run(claimed(), Build())


def test_attempts_are_limited(bench: Bench, claimed: Maker) -> None:
    bench.chooser.attempts = 1
    bench.hosts.answers["create"] = Conflict("broken")
    work = claimed()
    with pytest.raises(StepFailed, match=r"^broken$"):
        build.run(work, Build())
    assert bench.hosts.asked == [("one", "create")]
    work.unwind()
    assert bench.hosts.asked == [("one", "create"), ("one", "destroy")]
    assert (bench.row()["host"], bench.chooser.claimed) == (None, [])


def test_without_any_host_the_words_are_the_schedulers(bench: Bench, claimed: Maker) -> None:
    bench.chooser.hosts = []
    with pytest.raises(StepFailed, match="No valid host was found"):
        build.run(claimed(), Build())


def test_a_host_that_is_down_is_not_asked_twice_to_clean_up(bench: Bench, claimed: Maker) -> None:
    bench.hosts.answers |= {"create": HostDown(host="one"), "destroy": HostDown(host="one")}
    bench.chooser.attempts = 1
    work = claimed()
    with pytest.raises(StepFailed):
        build.run(work, Build())
    work.unwind()
    assert bench.row()["host"] is None


def test_a_guest_that_cannot_be_removed_stops_the_build_where_it_is(bench: Bench, claimed: Maker) -> None:
    bench.hosts.answers |= {"create": Conflict("broken"), "destroy": Conflict("stuck")}
    with pytest.raises(StepFailed, match="stuck"):
        build.run(claimed(), Build())
    assert bench.row()["host"] == "one"
    assert bench.chooser.claimed == ["one"]


def test_an_undo_forbids_late_calls_of_its_attempt(bench: Bench, claimed: Maker) -> None:
    bench.hosts.answers["create@one"] = Conflict("broken")
    work = claimed()
    build.run(work, Build())
    create, destroy = bench.hosts.payloads[:2]
    assert destroy["revokes"] == create["operation"]
    assert bench.hosts.payloads[2]["operation"] != create["operation"]


def test_a_conductor_that_takes_over_gives_back_what_may_have_been_claimed(bench: Bench, claimed: Maker) -> None:
    work = claimed()
    bench.change(work.id, attempts=1)
    build.run(bench.work(work.id), Build())
    assert bench.chooser.released == 1
    assert bench.chooser.claimed == ["one"]


def test_the_request_is_what_the_server_asked_for(bench: Bench, claimed: Maker) -> None:
    image: dict[str, Any] = {"id": "i", "disk_format": "qcow2", "size": 1, "properties": {"hw_x": "1"}}
    build.run(claimed(image=codec.text(image)), Build(zone="az1", host="one", forced=True))
    request = bench.chooser.requests[0]
    assert (request.flavor.vcpus, request.flavor.memory_mb, request.availability_zone) == (1, 128, "az1")
    assert (request.requested_host, request.forced, request.image.properties) == ("one", True, {"hw_x": "1"})


class LosesOneAnswer(FakeNetworkApi):
    """The first port is made late: after the request was given up, and made again."""

    late: list[Any] | None = None

    def create(self, resource: str, rows: Sequence[Mapping[str, Any]], context: Context | None = None) -> list[Row]:
        if resource == "ports" and self.late is None:
            self.late = list(rows)
            raise Unavailable("no answer")
        if resource == "ports" and self.late:
            super().create(resource, self.late, context)
            self.late = []
        return super().create(resource, rows, context)


def test_a_port_whose_making_went_unanswered_does_not_stay_beside_the_next_one(bench: Bench, claimed: Maker) -> None:
    api = LosesOneAnswer()
    (network,) = api.create("networks", [{"name": "n", "project_id": "project"}])
    api.create("subnets", [{"network_id": network["id"], "cidr": "10.0.0.0/24", "ip_version": 4}])
    bench.with_tools(networks=ApiNeutron(api))
    work = claimed(networks=codec.text([codec.pack(NetworkRequest(network_id=network["id"]))]))
    with pytest.raises(Unavailable, match="no answer"):
        build.run(work, Build())
    outcome = build.run(bench.work(work.id), Build())
    kept = [entry["port_id"] for entry in codec.loads(outcome.values["network_info"])]
    assert [row["id"] for row in api.rows("ports", [("device_id", "s1")])] == kept
    assert len(kept) == 1
