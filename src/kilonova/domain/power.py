"""Power states of a guest, with the numbers of OS-EXT-STS:power_state."""

from enum import IntEnum


class PowerState(IntEnum):
    """The numbers are the API's (servers, field OS-EXT-STS:power_state)."""

    NOSTATE = 0
    RUNNING = 1
    PAUSED = 3
    SHUTDOWN = 4
    CRASHED = 6
    SUSPENDED = 7
