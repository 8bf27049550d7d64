"""Steps 5 and 9 of `docs/install.md`: two compute hosts of the test bed, and guests that answer pings on their ways."""

from collections.abc import Iterator
from typing import Any

import pytest
from deployment.client import until
from tests.walk.site import READY_SECONDS, Pings, Site, answers, say
from tests.walk.testbed import HOSTS, SCRIPT, Testbed, run

pytestmark = [pytest.mark.system, pytest.mark.timeout(3600)]
GAP = 20.0
"""Seconds that a guest under emulation may be silent while it moves, on a busy machine."""


@pytest.fixture(scope="module")
def bed(site: Site) -> Iterator[Testbed]:
    """Only its hosts take servers."""
    if not SCRIPT.is_file():
        pytest.skip(f"there is no test bed beside the checkout ({SCRIPT} is missing)")
    found = Testbed(site)
    services = "/os-services?binary=nova-compute"
    (service,) = until("this machine's service", lambda: site.api("GET", services)["services"], pause=1)
    here = service["host"]
    site.shell(f". ./admin-openrc\nopenstack compute service set --disable {here} nova-compute")
    site.once("Flavors", "Keys and rules")
    try:
        found.up()
        found.serve()
        yield found
    finally:
        for row in site.api("GET", "/servers?all_tenants=1")["servers"]:
            site.shell(f". ./admin-openrc\nopenstack server delete --wait {row['id']} || true")
        found.down()
        for row in site.api("GET", services)["services"]:
            if row["host"] in HOSTS:
                site.shell(f". ./admin-openrc\nopenstack compute service delete {row['id']}")
        site.shell(f". ./admin-openrc\nopenstack compute service set --enable {here} nova-compute")


@pytest.fixture(scope="module")
def movers(bed: Testbed) -> dict[str, str]:
    """Floating IP by name of a server on an image's copy, and of one on a volume; both run."""
    site = bed.site
    site.follow("Servers on both hosts")
    found = {}
    for name in ("move1", "move2"):
        words = "ADDRESS=$(openstack floating ip create public -f value -c floating_ip_address)\n"
        site.shell(f". ./demo-openrc\n{words}openstack server add floating ip {name} $ADDRESS")
        found[name] = site.floating(name)
    for name, address in found.items():
        site.wrote(name, "^GUEST TICK 1$")
        assert answers(address, seconds=READY_SECONDS)
    return found


def host_of(bed: Testbed, name: str) -> str:
    return str(bed.site.server(name)["OS-EXT-SRV-ATTR:host"])


def other(host: str) -> str:
    return next(name for name in HOSTS if name != host)


def last_migration(bed: Testbed, name: str) -> dict[str, Any]:
    rows = bed.site.api("GET", f"/os-migrations?instance_uuid={bed.site.server(name)['id']}")["migrations"]
    return dict(max(rows, key=lambda row: row["id"]))


def ends(bed: Testbed, name: str, status: str) -> None:
    """Its last move has this status, and nothing more happens to it: clients do not wait for confirmations."""

    def ended() -> bool:
        return (last_migration(bed, name)["status"], bed.site.server(name)["status"]) == (status, "ACTIVE")

    until(f"{name} {status}", ended, READY_SECONDS, pause=1)


# -- step 5 --


def boot(bed: Testbed, flavor: str, name: str) -> str:
    """Its host."""
    words = f"openstack server create --flavor {flavor} --image tinyguest --nic none --wait {name}"
    bed.site.shell(f". ./demo-openrc\n{words}")
    return host_of(bed, name)


def test_an_aggregate_is_kept_apart(bed: Testbed) -> None:
    site = bed.site
    site.follow("An aggregate that is kept apart")
    names = ["plain1", "plain2", "gpu1", "gpu2"]
    hosts = [boot(bed, "m1.gpu" if name.startswith("gpu") else "m1.tiny", name) for name in names]
    assert hosts == ["compute1", "compute1", "compute2", "compute2"]
    bed.serve("compute2")  # a compute service leaves the traits of others alone
    (provider,) = site.ask("resource provider list --name compute2")
    traits = {row["name"] for row in site.ask(f"resource provider trait list {provider['uuid']}")}
    assert {"CUSTOM_GPU", "COMPUTE_NODE"} <= traits
    site.shell(f". ./demo-openrc\nopenstack server delete --wait {' '.join(names)}")
    site.shell(
        ". ./admin-openrc\nopenstack aggregate remove host gpu_hosts compute2; openstack aggregate delete gpu_hosts"
    )


def test_server_groups(bed: Testbed) -> None:
    bed.site.follow("Server groups")
    assert {host_of(bed, "apart1"), host_of(bed, "apart2")} == set(HOSTS)
    assert host_of(bed, "together1") == host_of(bed, "together2")
    group = "$(openstack server group show apart -f value -c id)"
    words = f"openstack server create --flavor m1.tiny --image tinyguest --nic none --hint group={group} apart3"
    bed.site.shell(f". ./demo-openrc\n{words}")
    until("no third host", lambda: bed.site.server("apart3")["status"] == "ERROR", pause=1)
    names = "apart1 apart2 apart3 together1 together2"
    bed.site.shell(
        f". ./demo-openrc\nopenstack server delete --wait {names}\nopenstack server group delete apart together"
    )


# -- step 9 --


def test_servers_are_on_both_hosts_and_answer(bed: Testbed, movers: dict[str, str]) -> None:
    assert {host_of(bed, name) for name in movers} == set(HOSTS)


@pytest.mark.parametrize("name", ["move1", "move2"])
def test_cold_migration_over_ssh(bed: Testbed, movers: dict[str, str], name: str) -> None:
    source = host_of(bed, name)
    bed.site.follow("Cold migration", NAME=name)
    ends(bed, name, "confirmed")
    assert host_of(bed, name) == other(source)
    assert answers(movers[name], seconds=READY_SECONDS)
    bed.site.wrote(name, "^GUEST MARK found")
    assert bed.site.server(name)["id"] not in bed.guests(source)


@pytest.mark.parametrize("name", ["move1", "move2"])
def test_a_migration_is_reverted(bed: Testbed, movers: dict[str, str], name: str) -> None:
    source = host_of(bed, name)
    bed.site.follow("Second thoughts", NAME=name)
    ends(bed, name, "reverted")
    assert host_of(bed, name) == source
    assert answers(movers[name], seconds=READY_SECONDS)
    assert bed.site.server(name)["id"] not in bed.guests(other(source))


@pytest.mark.parametrize("name", ["move1", "move2"])
def test_a_resize_moves_and_grows(bed: Testbed, movers: dict[str, str], name: str) -> None:
    source, server = host_of(bed, name), bed.site.server(name)["id"]
    bed.site.follow("Another size", NAME=name)
    ends(bed, name, "confirmed")
    assert (host_of(bed, name), bed.site.server(name)["flavor"]["original_name"]) == (other(source), "m1.more")
    assert f"{192 << 10} KiB" in run("virsh", "-c", bed.uri(other(source)), "dominfo", server)
    assert answers(movers[name], seconds=READY_SECONDS)
    bed.site.wrote(name, "^GUEST MARK found")


def lives(bed: Testbed, name: str, address: str, step: str = "Live migration", **variables: str) -> None:
    """Follow a step that moves the guest while it runs: nothing starts anew, and pings go on."""
    source, before = host_of(bed, name), bed.site.ticks(name)
    with Pings(address) as pings:
        bed.site.follow(step, **variables)
        assert answers(address)
    say(f"{name} moved from {source}; no answer for {pings.gap:.1f} s at most")
    moved = (host_of(bed, name), last_migration(bed, name)["status"])
    assert moved == (other(source), "completed"), bed.told(bed.site.server(name)["id"])
    assert bed.site.ticks(name) > before
    assert pings.gap < GAP
    assert bed.site.server(name)["id"] not in bed.guests(source)


@pytest.mark.parametrize("name", ["move1", "move2"])
def test_live_migration_with_its_disks_or_its_volume(bed: Testbed, movers: dict[str, str], name: str) -> None:
    lives(bed, name, movers[name], NAME=name)


def test_a_host_is_emptied_for_maintenance(bed: Testbed, movers: dict[str, str]) -> None:
    host = host_of(bed, "move1")
    try:
        lives(bed, "move1", movers["move1"], "Maintenance of a host", HOST=host)
        assert not bed.site.api("GET", f"/servers?all_tenants=1&host={host}")["servers"]
    finally:
        bed.site.follow("Back in service", HOST=host)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("move1", {"live_migration_with_native_tls": "true"}),
        ("move2", {"live_migration_tunnelled": "true"}),
        ("move1", {"live_migration_permit_auto_converge": "true", "live_migration_parallel_connections": 2}),
    ],
    ids=["tls", "tunnelled", "parallel"],
)
def test_live_migration_in_other_ways(
    bed: Testbed, movers: dict[str, str], name: str, options: dict[str, object]
) -> None:
    bed.serve(libvirt=options)
    lives(bed, name, movers[name], NAME=name)


@pytest.mark.parametrize("permitted", ["true", "false"], ids=["post-copy", "pause"])
def test_completion_is_forced(bed: Testbed, movers: dict[str, str], permitted: str) -> None:
    """A migration that would take minutes ends soon: memory follows the guest, or it stands still meanwhile."""
    site = bed.site
    mebibytes = 1 if permitted == "true" else 4  # a second; the guest that stands still waits for all of its memory
    bed.serve(libvirt={"live_migration_permit_post_copy": permitted, "live_migration_bandwidth": mebibytes})
    source, before, server = host_of(bed, "move1"), site.ticks("move1"), site.server("move1")["id"]
    login = ". ./admin-openrc\n"
    site.shell(f"{login}openstack server migrate --live-migration {server}")
    until("it runs", lambda: last_migration(bed, "move1")["status"] == "running", pause=1)
    site.shell(f"{login}openstack server migration force complete {server} {last_migration(bed, 'move1')['id']}")
    ends(bed, "move1", "completed")
    assert (host_of(bed, "move1"), site.ticks("move1") > before) == (other(source), True)
    assert answers(movers["move1"])
    bed.serve()


def test_rsync_carries_disks(bed: Testbed, movers: dict[str, str]) -> None:
    bed.serve(libvirt={"remote_filesystem_transport": "rsync"})
    source = host_of(bed, "move1")
    bed.site.follow("Cold migration", NAME="move1")
    ends(bed, "move1", "confirmed")
    assert host_of(bed, "move1") == other(source)
    assert answers(movers["move1"], seconds=READY_SECONDS)


def test_shared_storage_live_migration_and_a_lost_host(bed: Testbed, movers: dict[str, str]) -> None:
    """A guest whose disk all hosts see, and one on a volume, survive their host with what they had written."""
    site = bed.site
    site.shell(". ./demo-openrc\nopenstack server delete --wait move1")
    bed.serve(DEFAULT={"instances_path": bed.home / "shared"})
    login, words = (
        ". ./demo-openrc\n",
        "--config-drive true --network private --security-group web --user-data user-data",
    )
    site.shell(f"{login}openstack server create --flavor m1.tiny --image tinyguest {words} --wait move1")
    site.shell(f"{login}openstack server add floating ip move1 {movers['move1']}")
    site.wrote("move1", "^GUEST TICK 1$")
    lives(bed, "move1", movers["move1"], NAME="move1")

    lost = host_of(bed, "move1")
    if host_of(bed, "move2") != lost:
        bed.site.follow("Cold migration", NAME="move2")
        ends(bed, "move2", "confirmed")
        site.wrote("move2", "^GUEST TICK 1$")  # one that has not moved keeps its log where it was made
    bed.crash(lost)
    site.follow("A host is lost", HOST=lost)
    for name, address in movers.items():
        assert (host_of(bed, name), site.server(name)["status"]) == (other(lost), "ACTIVE")
        assert answers(address, seconds=READY_SECONDS)
        site.wrote(name, "^GUEST MARK found")

    bed.host_up(lost)
    bed.serve(lost, DEFAULT={"instances_path": bed.home / "shared"})
    site.follow("The host is back", HOST=lost)
    until("it has none of them", lambda: not bed.guests(lost), pause=1)
    for address in movers.values():
        assert answers(address)


def test_nothing_is_left(bed: Testbed, movers: dict[str, str]) -> None:
    site = bed.site
    site.shell(". ./demo-openrc\nopenstack server delete --wait move1 move2")
    assert not site.ask("--os-volume-api-version 3.44 volume attachment list --all-projects")
    for host in HOSTS:
        assert not bed.guests(host)
        assert not bed.ports(host), host
        (provider,) = site.ask(f"resource provider list --name {host}")
        used = site.ask(f"resource provider usage show {provider['uuid']}")
        assert sum(row["usage"] for row in used) == 0
