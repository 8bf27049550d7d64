"""Steps 1 to 4 of `docs/install.md`, executed as they stand there."""

import re
from pathlib import Path

import pytest
from deployment.guide import GUIDE, Block, Host, blocks, commands, here
from deployment.stack import Stack, fresh_databases

pytestmark = pytest.mark.system
UUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.MULTILINE)


@pytest.fixture(scope="session")
def guide() -> list[Block]:
    return blocks(GUIDE.read_text())


@pytest.fixture(scope="session")
def controller(core: Stack, guide: list[Block], tmp_path_factory: pytest.TempPathFactory) -> Host:
    """Its files are those of step 1; its databases are empty."""
    host = Host(tmp_path_factory.mktemp("controller"))
    for block in guide:
        if block.language == "ini" and block.words[1:] == ("controller",):
            host.write(block.words[0], here(block.text))
    fresh_databases("nova", "nova_api", "nova_cell0", "placement")
    return host


def run(host: Host, guide: list[Block], step: str) -> dict[str, str]:
    """Each command of a step's blocks for the host, and what it printed."""
    name = host.directory.name.rstrip("0123456789")
    wanted = [b for b in guide if b.step.startswith(step) and b.language == "sh" and b.words == (name,)]
    printed = {}
    for command in (command for block in wanted for command in commands(block)):
        done = host.run(command)
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}"
        printed[command] = done.stdout
    assert printed
    return printed


def test_databases_and_cells(controller: Host, guide: list[Block]) -> None:
    printed = run(controller, guide, "2.")
    assert UUID.search(printed["nova-manage cell_v2 create_cell --name=cell1 --verbose"])
    cells = printed["nova-manage cell_v2 list_cells"]
    assert re.search(r"\| cell0 +\| 00000000-0000-0000-0000-000000000000 \| none:/// ", cells)
    assert "rabbit://stack:****@127.0.0.1:13672" in cells
    assert "mysql+pymysql://nova:****@127.0.0.1:13306/nova_cell0" in cells


def test_the_guide_names_no_machine_of_ours(guide: list[Block]) -> None:
    assert not [block for block in guide if "/work" in block.text or "127.0.0.1" in block.text]


def test_files_of_the_guide_are_private(controller: Host) -> None:
    assert Path(controller.place("/etc/nova/nova.conf")).stat().st_mode & 0o077 == 0
