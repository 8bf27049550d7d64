"""One pair of buses for each implementation: a server's and a caller's."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from deployment.stack import NoStack, Stack

from kilonova.kit.options import from_mapping
from kilonova.kit.rpc.contract import Bus
from kilonova.kit.rpc.local import LocalBus
from kilonova.kit.rpc.rabbit import RabbitBus

_NUMBERS = itertools.count()
FIRST = pytest.mark.timeout(900)
"""For every test that may be the first to want the stack: on a new machine that installs it."""


@dataclass
class Pair:
    """``new()`` is the bus as a further process has it."""

    server: Bus
    caller: Bus
    new: Callable[[], Bus]
    topic: str


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    try:
        found = Stack.find()
        found.up()
    except NoStack as error:
        pytest.skip(str(error))
    yield found
    found.down()


@pytest.fixture(params=["local", pytest.param("rabbit", marks=[pytest.mark.system, FIRST])])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    topic = f"topic{next(_NUMBERS)}-{request.node.name[:30]}"
    if request.param == "local":
        bus = LocalBus()
        yield Pair(bus, bus, lambda: bus, topic)
        bus.close()
        return
    stack = request.getfixturevalue("stack")
    made: list[RabbitBus] = []

    def new() -> Bus:
        # Queues of tests end with their listeners, so that a test finds none of an earlier run.
        sections: dict[str, dict[str, Any]] = {
            "DEFAULT": {"control_exchange": "kilonova-contract"},
            "oslo_messaging_rabbit": {"amqp_auto_delete": True},
        }
        made.append(RabbitBus(from_mapping(sections), stack.transport_url))
        return made[-1]

    yield Pair(new(), new(), new, topic)
    for one in made:
        one.close()
