"""The calls of moves: which arguments of the bus go where in the driver's contracts."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from kilonova.hypervisor.contracts import Berth, GuestSpec, LivePlan
from kilonova.kit import codec

LOG = logging.getLogger(__name__)
Arguments = Mapping[str, Any]
Tell = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""Tells the conductor how far a migration is; answers what is wanted of it (``cancel``, ``force``)."""


def calls(driver: Any, tell: Tell) -> dict[str, Callable[[Arguments], Any]]:
    """Name of the call → what it does."""
    return {
        "berth": lambda a: driver.berth(a["uuid"], a["token"]),
        "give": lambda a: driver.give(_spec(a), codec.unpack(a["berth"], Berth), a["token"], a["timeout"]),
        "take": lambda a: driver.take(_spec(a), a["token"], power=a["power"]),
        "take_back": lambda a: driver.take_back(_spec(a), a["token"], power=a["power"]),
        "let_go": lambda a: driver.let_go(a["uuid"]),
        "abandon": lambda a: driver.abandon(a["uuid"], a["token"]),
        "revive": lambda a: driver.revive(_spec(a), a["token"], power=a["power"], progress=say),
        "check": lambda a: driver.check(
            _spec(a), codec.unpack(a["berth"], Berth), block=a["block"], over_commit=a["over_commit"]
        ),
        "prepare": lambda a: driver.prepare(_spec(a), a["token"], _plan(a), say),
        "send": lambda a: driver.send(_spec(a), a["token"], _plan(a), lambda counters: tell(a["token"], counters)),
        "arrived": lambda a: driver.arrived(_spec(a), a["token"], _plan(a)),
        "leave": lambda a: driver.leave(a["uuid"], tuple(a["devices"])),
    }


def say(sentence: str) -> None:
    """Progress of long work goes to the log."""
    LOG.info("%s", sentence)


def _spec(arguments: Arguments) -> GuestSpec:
    return codec.unpack(arguments["spec"], GuestSpec)


def _plan(arguments: Arguments) -> LivePlan:
    return codec.unpack(arguments["plan"], LivePlan)
