"""One cloud for all tests here, made by the command that the README names first; the last file forgets it."""

import os
from collections.abc import Iterator

import pytest
from tests.system.first_light.newcomer import STATE, Newcomer, Shell

from kilonova.cli import lab_claim


def _newcomer() -> Iterator[Newcomer]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    other = lab_claim.current()
    if other not in {None, STATE}:
        pytest.skip(f"the cloud in {other} is up, and a machine has room for one: kilonova down --state {other}")
    made = Newcomer()
    made.down("--purge")
    try:
        yield made
    finally:
        made.down("--purge")


@pytest.fixture(scope="session")
def newcomer() -> Iterator[Newcomer]:
    yield from _newcomer()


@pytest.fixture(scope="session")
def cloud(newcomer: Newcomer) -> Newcomer:
    """Up, with its first server."""
    newcomer.first = newcomer.up()
    return newcomer


@pytest.fixture(scope="session")
def shell(cloud: Newcomer) -> Iterator[Shell]:
    made = Shell(cloud.clouds)
    yield made
    made.close()
