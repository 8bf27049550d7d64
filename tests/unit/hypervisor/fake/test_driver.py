import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from kilonova.domain.power import PowerState
from kilonova.hypervisor.contracts import GuestSpec, HypervisorFailed
from kilonova.hypervisor.fake.driver import FakeDriver
from kilonova.hypervisor.fake.options import FakeOptions


def spec(display_name: str = "web", node: str | None = None) -> GuestSpec:
    made = str(uuid.uuid4())
    return GuestSpec(
        uuid=made,
        name="instance-1",
        display_name=display_name,
        project_id="p",
        user_id="u",
        flavor_name="m1",
        vcpus=2,
        memory_mb=512,
        root_gb=10,
        ephemerals_gb=(5,),
        swap_mb=1,
        node=node,
    )


def quiet(_text: str) -> None:
    """Nobody listens."""


def test_many_nodes_each_with_its_own_use() -> None:
    driver = FakeDriver(FakeOptions(node_count=3, vcpus=8, disk_gb=100), "rack")
    driver.create(spec(node="rack-0002"), quiet)
    nodes = driver.nodes()
    assert [n.name for n in nodes] == ["rack-0001", "rack-0002", "rack-0003"]
    assert len({n.uuid for n in nodes}) == 3
    assert [(n.vcpus_used, n.memory_used_mb, n.disk_used_gb, n.running_guests) for n in nodes] == [
        (0, 0, 0, 0),
        (2, 512, 16, 1),
        (0, 0, 0, 0),
    ]
    assert nodes[1].free_disk_gb == 84


def test_nodes_may_be_named() -> None:
    driver = FakeDriver(FakeOptions(nodes=["a", "b"]), "rack")
    assert [n.name for n in driver.nodes()] == ["a", "b"]


def test_a_node_that_is_not_there_is_refused() -> None:
    driver = FakeDriver(FakeOptions(nodes=["a"]), "rack")
    with pytest.raises(HypervisorFailed, match="there is no node b"):
        driver.create(spec(node="b"), quiet)
    assert driver.guests() == ()


def test_the_console_is_the_same_each_time_and_names_the_guest() -> None:
    driver, guest = FakeDriver(FakeOptions(), "h"), spec()
    driver.create(guest, quiet)
    driver.reboot(guest, hard=True, timeout=0)
    lines = driver.output(guest.uuid, 1000).decode().splitlines()
    assert lines[::3] == ["instance-1 web: boot 1", "instance-1 web: boot 2"]
    assert lines[1] == lines[4] == f"instance-1 web: {guest.vcpus} vCPUs, {guest.memory_mb} MiB"
    assert driver.output(guest.uuid, 0) == b""


def test_faults_follow_the_servers_name_in_every_call() -> None:
    driver = FakeDriver(FakeOptions(fail="pause:always:bad"), "h")
    good, bad = spec("good"), spec("bad")
    for each in (good, bad):
        driver.create(each, quiet)
    assert driver.pause(good.uuid).power is PowerState.PAUSED
    with pytest.raises(HypervisorFailed):
        driver.pause(bad.uuid)
    assert driver.state(bad.uuid).power is PowerState.RUNNING


def test_a_failing_create_leaves_nothing_and_works_later() -> None:
    driver, guest = FakeDriver(FakeOptions(fail="create:1"), "h"), spec()
    with pytest.raises(HypervisorFailed):
        driver.create(guest, quiet)
    assert driver.guests() == ()
    assert driver.create(guest, quiet).power is PowerState.RUNNING


def test_threads_do_not_lose_guests() -> None:
    driver, guests = FakeDriver(FakeOptions(), "h"), [spec() for _ in range(200)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda g: driver.create(g, quiet), guests))
        list(pool.map(lambda g: driver.destroy(g.uuid), guests[:100]))
    assert {g.uuid for g in driver.guests()} == {g.uuid for g in guests[100:]}
    assert driver.nodes()[0].running_guests == 100
