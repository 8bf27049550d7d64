"""How much is tried at random: little each time, since the whole suite is to take seconds."""

import gc

from hypothesis import settings

settings.register_profile("quick", max_examples=30, deadline=None)
settings.load_profile("quick")
gc.disable()


def pytest_collection_finish() -> None:
    """What is loaded by now stays: to look through all of it for garbage, time and again, takes more than a second."""
    gc.freeze()
    gc.enable()
