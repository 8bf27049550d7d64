"""The companion services and one deployment of separate processes beside them, for all tests of the folder."""

from collections.abc import Iterator

import pytest
from deployment.services import Deployment
from deployment.stack import NoStack, Stack


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    try:
        found = Stack.find()
        found.up()
    except NoStack as error:
        pytest.skip(str(error))
    yield found
    found.down()


@pytest.fixture(scope="session")
def deployment(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    made = Deployment(tmp_path_factory.mktemp("deployment"), stack, workers=2, monitored=True)
    try:
        made.prepare()
        made.start()
        yield made
    finally:
        made.stop()
