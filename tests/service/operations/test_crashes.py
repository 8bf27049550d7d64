"""A conductor dies at every step boundary of every story; the next one must leave nothing stuck, leaked or lost."""

import sys
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from tests.service.cloud import wait_for
from tests.service.operations.audit import audit, quota_errors, server_row
from tests.service.operations.crash import LEASE, Fuse, Site, Story
from tests.service.operations.test_hosts_lost import find, lose


def _build(site: Site) -> str:
    return site.create()


def _failing(site: Site) -> str:
    site.faults.fail("create", prefix="doomed")
    return site.create("doomed")


def _second_host(site: Site) -> str:
    site.faults.fail("create", times=1, prefix="unlucky")
    return site.create("unlucky")


def _running(site: Site) -> str:
    uuid = site.create()
    with site.conducting(Fuse()):
        site.until(uuid, "ACTIVE")
    return uuid


def _delete(site: Site) -> str:
    uuid = _running(site)
    site.delete(uuid)
    return uuid


def _attach(site: Site) -> str:
    uuid = _running(site)
    site.attach(uuid, site.network)
    return uuid


def _detach(site: Site) -> str:
    uuid = _running(site)
    (port,) = site.world().ports(uuid)
    assert site.call("DELETE", f"/servers/{uuid}/os-interface/{port['id']}").status_code == 202
    return uuid


def _acted(action: str, value: Any = None, *, after: Callable[[Site], str] = _running) -> Callable[[Site], str]:
    return lambda site: _act(site, after(site), action, value)


def _settled(begin: Callable[[Site], str]) -> Callable[[Site], str]:
    """A story's end as the next one's beginning."""

    def there(site: Site) -> str:
        uuid = begin(site)
        with site.conducting(Fuse()):
            site.settle(uuid)
        return uuid

    return there


def _rebuild(site: Site) -> str:
    return _acted("rebuild", {"imageRef": site.another_image()})(site)


def _rebuild_root_volume(site: Site) -> str:
    return _acted("rebuild", {"imageRef": site.another_image()}, after=_with_volumes)(site)


def _unshelve_on_second_host(site: Site) -> str:
    uuid = _settled(_acted("shelve"))(site)
    site.faults.fail("create", times=1)
    return _act(site, uuid, "unshelve")


def _unshelve_nowhere(site: Site) -> str:
    uuid = _settled(_acted("shelve"))(site)
    site.faults.fail("create")
    return _act(site, uuid, "unshelve")


def _delete_failed(site: Site) -> str:
    uuid = _failing(site)
    with site.conducting(Fuse()):
        site.until(uuid, "ERROR")
    site.delete(uuid)
    return uuid


def _act(site: Site, uuid: str, action: str, value: object = None) -> str:
    result = site.call("POST", f"/servers/{uuid}/action", {action: value}, token="admin:project")
    assert result.status_code in {200, 202, 204}, result.text
    return uuid


def _resize(site: Site, uuid: str | None = None) -> str:
    return _act(site, uuid or _with_volumes(site), "resize", {"flavorRef": "2"})


def _resize_failing(site: Site) -> str:
    uuid = _with_volumes(site)
    site.faults.fail("take")
    return _resize(site, uuid)


def _resized(site: Site) -> str:
    uuid = _resize(site)
    with site.conducting(Fuse()):
        site.until(uuid, "VERIFY_RESIZE")
    return uuid


def _delete_resized(site: Site) -> str:
    uuid = _resized(site)
    site.delete(uuid)
    return uuid


def _live(site: Site, uuid: str | None = None) -> str:
    return _act(site, uuid or _with_volumes(site), "os-migrateLive", {"host": None, "block_migration": "auto"})


def _live_failing(site: Site) -> str:
    uuid = _with_volumes(site)
    site.faults.fail("send")
    return _live(site, uuid)


def _evacuate(site: Site) -> str:
    """Its host is only thought to be down: what the old host has goes when it reports."""
    uuid = _with_volumes(site)
    host = server_row(site.world(), uuid)["host"]
    lose(site, host)
    _act(site, uuid, "evacuate", {})
    return uuid


def _come_back(site: Site, uuid: str) -> None:
    """Lost hosts return and remove what is not theirs any more."""
    for host in site.hosts:
        if not site.up(host):
            find(site, host)
    wait_for(lambda: not any("claims" in words or "guests" in words for words in audit(site.world(), uuid, "stopped")))


def _no_ports(site: Site) -> str:
    def interfere(verb: str, resource: str) -> None:
        if (verb, resource) == ("create", "ports"):
            raise ValueError("no ports today")

    site.network_api.interfere = interfere
    return site.create()


def _build_with_volumes(site: Site) -> str:
    return site.create_with_volumes()


def _volumes_on_the_second_host(site: Site) -> str:
    site.faults.fail("create", times=1, prefix="unlucky")
    return site.create_with_volumes("unlucky")


def _failing_with_volumes(site: Site) -> str:
    site.faults.fail("create", prefix="doomed")
    return site.create_with_volumes("doomed")


def _with_volumes(site: Site) -> str:
    uuid = site.create_with_volumes()
    with site.conducting(Fuse()):
        site.until(uuid, "ACTIVE")
    return uuid


def _delete_with_volumes(site: Site) -> str:
    uuid = _with_volumes(site)
    site.delete(uuid)
    return uuid


def _attach_volume(site: Site) -> str:
    uuid = _running(site)
    body = {"volumeAttachment": {"volumeId": site.volumes.add().id}}
    assert site.call("POST", f"/servers/{uuid}/os-volume_attachments", body).status_code == 202
    return uuid


def _snapshot_volume(site: Site) -> str:
    uuid = _with_volumes(site)
    info = {"snapshot_id": uuid, "type": "qcow2", "new_file": "overlay"}
    body = {"snapshot": {"volume_id": _volume_of(site, uuid), "create_info": info}}
    assert site.call("POST", "/os-assisted-volume-snapshots", body, token="admin:admin").status_code == 200
    return uuid


def _attach_share(site: Site) -> str:
    uuid = _settled(_acted("os-stop"))(site)
    body = {"share": {"share_id": site.shares.add().id}}
    assert site.call("POST", f"/servers/{uuid}/shares", body).status_code == 201
    return uuid


def _attach_share_in_vain(site: Site) -> str:
    site.shares.new_state = "error"
    return _attach_share(site)


def _detach_share(site: Site) -> str:
    uuid = _settled(_attach_share)(site)
    (share,) = site.call("GET", f"/servers/{uuid}/shares").json["shares"]
    assert site.call("DELETE", f"/servers/{uuid}/shares/{share['share_id']}").status_code == 200
    return uuid


def _delete_with_share(site: Site) -> str:
    uuid = _settled(_attach_share)(site)
    site.delete(uuid)
    return uuid


def _attach_volume_in_vain(site: Site) -> str:
    uuid = _running(site)
    site.faults.fail("attach_volume")
    body = {"volumeAttachment": {"volumeId": site.volumes.add().id}}
    assert site.call("POST", f"/servers/{uuid}/os-volume_attachments", body).status_code == 202
    return uuid


def _volume_of(site: Site, uuid: str) -> str:
    listed = site.call("GET", f"/servers/{uuid}/os-volume_attachments").json["volumeAttachments"]
    return str(listed[1]["volumeId"])


def _detach_volume(site: Site) -> str:
    uuid = _with_volumes(site)
    path = f"/servers/{uuid}/os-volume_attachments/{_volume_of(site, uuid)}"
    assert site.call("DELETE", path).status_code == 202
    return uuid


def _swap_volume(site: Site) -> str:
    uuid = _with_volumes(site)
    path = f"/servers/{uuid}/os-volume_attachments/{_volume_of(site, uuid)}"
    body = {"volumeAttachment": {"volumeId": site.volumes.add().id}}
    assert site.call("PUT", path, body, token="admin:admin").status_code == 202
    return uuid


STORIES: tuple[Story, ...] = (
    Story("build", _build, "active"),
    Story("build on the second host", _second_host, "active"),
    Story("build that no host can do", _failing, "error"),
    Story("build without ports", _no_ports, "error"),
    Story("delete", _delete, "deleted", kind="delete"),
    Story("attach an interface", _attach, "active", kind="attach", nics=2),
    Story("detach an interface", _detach, "active", kind="detach", nics=0),
    Story("build with volumes", _build_with_volumes, "active", kind="volumes"),
    Story("build with volumes on the second host", _volumes_on_the_second_host, "active", kind="volumes"),
    Story("build with volumes that no host can do", _failing_with_volumes, "error", kind="volumes"),
    Story("delete with volumes", _delete_with_volumes, "deleted", kind="delete with volumes"),
    Story("snapshot of a volume by its host", _snapshot_volume, "active", kind="volumes"),
    Story("attach a share", _attach_share, "stopped", kind="shares"),
    Story("attach a share in vain", _attach_share_in_vain, "stopped", kind="shares"),
    Story("detach a share", _detach_share, "stopped", kind="shares"),
    Story("delete with a share", _delete_with_share, "deleted", kind="shares"),
    Story("attach a volume", _attach_volume, "active", kind="attach volume"),
    Story("attach a volume in vain", _attach_volume_in_vain, "active", kind="attach volume"),
    Story("detach a volume", _detach_volume, "active", kind="detach volume"),
    Story("swap a volume", _swap_volume, "active", kind="swap volume"),
    Story("delete of a failed build", _delete_failed, "deleted", kind="delete without a host"),
    Story(
        "delete while building, then going to the second host",
        _second_host,
        "deleted",
        meanwhile=lambda site, uuid: site.delete(uuid),
        kind="delete while building",
    ),
)


STORIES += (
    Story("resize", _resize, "resized", kind="resize"),
    Story("resize that fails on its destination", _resize_failing, "active", kind="resize"),
    Story("confirm", lambda site: _act(site, _resized(site), "confirmResize"), "active", kind="confirm"),
    Story("revert", lambda site: _act(site, _resized(site), "revertResize"), "active", kind="revert"),
    Story("delete of a resized server", _delete_resized, "deleted", kind="delete resized"),
    Story(
        "delete while resizing",
        _resize,
        "deleted",
        meanwhile=lambda site, uuid: site.delete(uuid),
        kind="resize delete",
    ),
    Story("live migration", _live, "active", kind="live"),
    Story("live migration that fails", _live_failing, "active", kind="live"),
    Story("evacuation", _evacuate, "stopped", kind="evacuate", afterwards=_come_back),
)

_SHELVED = _settled(_acted("shelve"))
_BACKUP = {"name": "backup", "backup_type": "daily", "rotation": 1}
STORIES += (
    Story("rebuild", _rebuild, "active", kind="rebuild"),
    Story("rebuild of a root volume", _rebuild_root_volume, "active", kind="rebuild"),
    Story("shelve with volumes", _acted("shelve", after=_with_volumes), "shelved_offloaded", kind="shelve"),
    Story("rescue", _acted("rescue"), "rescued", kind="rescue"),
    Story("unrescue", _acted("unrescue", after=_settled(_acted("rescue"))), "active", kind="unrescue"),
    Story("backup", _acted("createBackup", _BACKUP), "active", kind="backup"),
    Story("shelve", _acted("shelve"), "shelved_offloaded", kind="shelve"),
    Story("unshelve on the second host", _unshelve_on_second_host, "active", kind="unshelve"),
    Story("unshelve that no host can do", _unshelve_nowhere, "shelved_offloaded", kind="unshelve"),
    Story("delete of a shelved server", _acted("forceDelete", after=_SHELVED), "deleted", kind="delete shelved"),
    Story(
        "delete while shelving",
        _acted("shelve"),
        "deleted",
        meanwhile=lambda site, uuid: site.delete(uuid),
        kind="delete while shelving",
    ),
)

TRIED: defaultdict[str, set[str]] = defaultdict(set)


def boundaries(site: Site, story: Story) -> list[str]:
    """Where the story's conductor passes when it is left alone, without what earlier stories of its kind have tried."""
    uuid, fuse = story.begin(site), Fuse()
    with site.conducting(fuse):
        site.settle(uuid)
    calm(site)
    with site.conducting(Fuse()):
        story.afterwards(site, uuid)
    assert fuse.seen
    new = [where for where in fuse.seen if where not in TRIED[story.kind]]
    TRIED[story.kind].update(new)
    return new


def calm(site: Site) -> None:
    site.faults.clear()
    site.network_api.interfere = lambda _verb, _resource: None


def crash(site: Site, story: Story, where: str) -> list[str]:
    """The story, with a conductor that dies at ``where`` and another after it; what is wrong in the end."""
    uuid = story.begin(site)
    fuse = Fuse(where)
    with site.conducting(fuse):
        assert fuse.dead.wait(40)
    story.meanwhile(site, uuid)
    site.clock.skip(LEASE + 0.1)
    with site.conducting(Fuse()):
        site.settle(uuid)
        calm(site)
        story.afterwards(site, uuid)
    return audit(site.world(), uuid, story.end, nics=story.nics) + quota_errors(site.world())


@pytest.mark.timeout(300)
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name.replace(" ", "-"))
def test_a_conductor_may_die_anywhere(site: Site, story: Story) -> None:
    places = boundaries(site, story)
    outcome = {where: crash(site, story, where) for where in places}
    for where, wrong in outcome.items():
        sys.stdout.write(f"{story.name:40} {where:32} {'; '.join(wrong) or story.end}\n")
    survived = sum(not wrong for wrong in outcome.values())
    sys.stdout.write(f"{survived} of {len(places)} boundaries survived\n")
    assert survived == len(places), {where: wrong for where, wrong in outcome.items() if wrong}
