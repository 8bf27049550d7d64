"""A conductor dies while a server leaves cell0 for the cell of its host."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.service.operations.crash import Fuse, Site, Story
from tests.service.operations.test_crashes import crash
from tests.service.test_several_cells import SeveralCells

from kilonova.store.cells import Cell


class SeveralSite(SeveralCells, Site):
    """Both hosts, each in a cell of its own."""

    def cell_for(self, host: str) -> Cell:
        return self.cell({"host1": "one", "host2": "two"}[host])


@pytest.fixture
def site(tmp_path: Path) -> Iterator[SeveralSite]:
    made = SeveralSite(tmp_path)
    made.open()
    yield made
    made.stop()


def _failing(site: Site) -> str:
    site.faults.fail("create", prefix="doomed")
    return site.create("doomed")


STORIES = (
    Story("create with volumes", lambda site: site.create_with_volumes(), "active"),
    Story("create that fails there", _failing, "error"),
    Story("delete meanwhile", lambda site: site.create(), "deleted", meanwhile=lambda site, uuid: site.delete(uuid)),
)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name.replace(" ", "-"))
def test_a_conductor_may_die_on_the_way(site: SeveralSite, story: Story) -> None:
    fuse = Fuse()
    uuid = story.begin(site)
    with site.conducting(fuse):
        site.settle(uuid)
    site.faults.clear()
    places = [where for where in fuse.seen if "schedule" in where or "rehome" in where or "ports:start" in where]
    assert sum("create:rehome:" in where for where in places) == 4
    outcome = {where: crash(site, story, where) for where in places}
    assert not {where: wrong for where, wrong in outcome.items() if wrong}
    for cell in site.store.cells:
        if cell.is_cell0:
            with cell.database.read() as connection:
                assert connection.exec_driver_sql("SELECT count(*) FROM servers WHERE deleted = 0").scalar() == 0
