"""The real neighbours of the walk: `core` (MariaDB, RabbitMQ, memcached, Keystone, Glance), `net`, `volume`.

Each is started once for all tests and stopped at the end, unless it ran before. Where the companion services are not
beside the checkout every test of the walk is skipped, saying so.
"""

from collections.abc import Callable, Iterator

import pytest
from deployment.stack import NoStack, Stack

Up = Callable[..., Stack]


@pytest.fixture(scope="session")
def neighbours() -> Iterator[Up]:
    """Gives the companion services with these parts up: ``neighbours("net", "volume")``; ``core`` always is."""
    try:
        stack = Stack.find()
    except NoStack as error:
        pytest.skip(str(error))

    def up(*parts: str) -> Stack:
        stack.up("core", *parts)
        return stack

    yield up
    stack.down()


@pytest.fixture(scope="session")
def core(neighbours: Up) -> Stack:
    return neighbours()


@pytest.fixture(scope="session")
def net(neighbours: Up) -> Stack:
    return neighbours("net")


@pytest.fixture(scope="session")
def volume(neighbours: Up) -> Stack:
    return neighbours("volume")
