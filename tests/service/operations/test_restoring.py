"""Deleting for a while and restoring, with conductors that die at every step boundary."""

from collections.abc import Iterator

import pytest
from tests.service.operations.crash import Fuse, Site, Story
from tests.service.operations.test_crashes import boundaries, crash


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("site"), reclaim_instance_interval=86400)
    made.open()
    yield made
    made.stop()


def _deleted(site: Site) -> str:
    uuid = site.create()
    with site.conducting(Fuse()):
        site.until(uuid, "ACTIVE")
    site.delete(uuid)
    return uuid


def _restored(site: Site) -> str:
    uuid = _deleted(site)
    with site.conducting(Fuse()):
        site.until(uuid, "SOFT_DELETED")
    assert site.call("POST", f"/servers/{uuid}/action", {"restore": None}).status_code == 202
    return uuid


def _restored_in_vain(site: Site) -> str:
    site.faults.fail("reboot")
    return _restored(site)


STORIES = (
    Story("soft delete", _deleted, "soft-delete", kind="soft delete"),
    Story("restore", _restored, "active", kind="restore"),
    Story("restore that fails", _restored_in_vain, "soft-delete", kind="restore"),
)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name.replace(" ", "-"))
def test_a_conductor_may_die_anywhere(site: Site, story: Story) -> None:
    places = boundaries(site, story)
    outcome = {where: crash(site, story, where) for where in places}
    assert places
    assert not {where: wrong for where, wrong in outcome.items() if wrong}
