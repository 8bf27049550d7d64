"""Step 7 of `docs/install.md`: Ceph volumes of the real Cinder in guests, servers on them, and images of both."""

import subprocess
from typing import Any

import pytest
from deployment.client import until
from tests.walk.site import Site

pytestmark = [pytest.mark.system, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def web1(site: Site) -> Site:
    """The cloud, whose libvirt knows the key, with a server that runs."""
    site.follow("The key", on="compute1", LIBVIRT_DEFAULT_URI=site.libvirtd.uri)
    site.once("Flavors", "Keys and rules", "A server")
    site.wrote("web1", "^GUEST TICK 1$")
    return site


def volumes(site: Site) -> list[dict[str, Any]]:
    return list(site.ask("volume list --all-projects --long"))


def data_is(site: Site, status: str) -> dict[str, Any]:
    """The volume of the guide, once it has this status: clients do not wait for attachments."""

    def look() -> dict[str, Any] | None:
        (volume,) = [row for row in volumes(site) if row["Name"] == "data"]
        return volume if volume["Status"] == status else None

    found: dict[str, Any] = until(f"the volume {status}", look, pause=1)
    return found


def test_a_volume_comes_and_goes_while_the_guest_runs(web1: Site) -> None:
    web1.follow("A volume")
    web1.wrote("web1", "^GUEST DISKS vda vdb")
    assert data_is(web1, "in-use")["Attached to"][0]["device"] == "/dev/vdb"
    web1.follow("Taking it away")
    web1.wrote("web1", r"^GUEST DISKS vda vdb $[\s\S]*^GUEST DISKS vda $")
    volume = data_is(web1, "available")
    web1.shell(f". ./demo-openrc\nopenstack volume delete {volume['ID']}")


def test_a_server_on_a_volume(web1: Site) -> None:
    web1.follow("A server on a volume")
    web1.wrote("web2", "^GUEST MARK new")
    server = web1.server("web2")
    (volume,) = [row for row in volumes(web1) if row["Attached to"]]
    assert volume["Attached to"][0]["server_id"] == server["id"]
    shown = subprocess.run(
        ["virsh", "-c", web1.libvirtd.uri, "domblklist", server["id"]], capture_output=True, text=True, check=True
    )
    assert f"volumes/volume-{volume['ID']}" in shown.stdout


def test_it_grows_with_its_guest_running(web1: Site) -> None:
    (volume,) = [row for row in volumes(web1) if row["Attached to"]]
    web1.shell(f". ./demo-openrc\nopenstack --os-volume-api-version 3.42 volume set --size 2 {volume['ID']}")
    command = ["virsh", "-c", web1.libvirtd.uri, "domblkinfo", web1.server("web2")["id"], "vda"]

    def grown() -> bool:
        return f"{2 << 30}" in subprocess.run(command, capture_output=True, text=True, check=True).stdout

    until("the disk grows", grown, pause=1)


def test_images_of_both_boot_with_what_was_written(web1: Site) -> None:
    web1.follow("Snapshots")
    for name in ("web3", "web4"):
        web1.wrote(name, "^GUEST MARK found")
    by_server = {row["Attached to"][0]["server_id"] for row in volumes(web1) if row["Attached to"]}
    assert by_server == {web1.server("web2")["id"], web1.server("web4")["id"]}


def test_nothing_is_left_of_deleted_servers(web1: Site) -> None:
    web1.follow("The end")
    assert not web1.api("GET", "/servers?all_tenants=1")["servers"]
    assert not web1.ask("--os-volume-api-version 3.44 volume attachment list --all-projects")
    assert {row["Status"] for row in volumes(web1)} <= {"available"}
    assert not web1.plugged()
    domains = ["virsh", "-c", web1.libvirtd.uri, "list", "--all", "--name"]
    assert not subprocess.run(domains, capture_output=True, text=True, check=True).stdout.strip()
    assert not list((web1.directory / "state" / "instances").glob("*-*-*-*-*"))
    assert not web1.ask("resource provider list") or _used(web1) == 0


def _used(site: Site) -> int:
    (provider,) = site.ask("resource provider list")
    return sum(row["usage"] for row in site.ask(f"resource provider usage show {provider['uuid']}"))
