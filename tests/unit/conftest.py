"""How much is tried at random: little each time, since the whole suite is to take seconds. And what many need."""

import gc
import logging
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("quick", max_examples=30, deadline=None)
settings.load_profile("quick")
gc.disable()


def pytest_collection_finish() -> None:
    """What is loaded by now stays: to look through all of it for garbage, time and again, takes more than a second."""
    gc.freeze()
    gc.enable()


@pytest.fixture
def root_logger() -> Iterator[None]:
    """The root logger is afterwards as it was: pytest listens there, too."""
    found = logging.getLogger()
    before, level = tuple(found.handlers), found.level
    yield
    for handler in tuple(found.handlers):
        found.removeHandler(handler)
        if handler not in before:
            handler.close()
    for handler in before:
        found.addHandler(handler)
    found.setLevel(level)
    logging.captureWarnings(capture=False)
