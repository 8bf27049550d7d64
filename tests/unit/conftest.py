"""How much is tried at random: little each time, since the whole suite is to take seconds."""

from hypothesis import settings

settings.register_profile("quick", max_examples=30, deadline=None)
settings.load_profile("quick")
