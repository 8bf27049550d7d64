"""The real neighbours of the walk: `core` (MariaDB, RabbitMQ, memcached, Keystone, Glance), `net`, `volume`.

Each is started once for all tests and stopped at the end, unless it ran before. Where the companion services are not
beside the checkout every test of the walk is skipped, saying so.
"""

from collections.abc import Callable, Iterator

import pytest
from deployment.stack import NoStack, Stack
from tests.walk.site import Site

Up = Callable[..., Stack]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those with a cloud of their own come first: ``site`` keeps the ports that it has taken."""
    items.sort(key=lambda item: "site" in getattr(item, "fixturenames", ()))


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


@pytest.fixture(scope="session")
def site(neighbours: Up, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Our programs beside all neighbours, with real guests on this machine."""
    made = Site(tmp_path_factory.mktemp("site"), neighbours("net", "volume"))
    try:
        made.up()
        yield made
    finally:
        made.down()
