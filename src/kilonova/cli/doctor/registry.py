"""The groups, in the order in which one explains the next."""

from collections.abc import Mapping
from types import MappingProxyType

from kilonova.cli.doctor import broker, certificates, clock, configuration, consoles, databases, host, neighbours
from kilonova.cli.doctor.contract import Group

GROUPS: Mapping[str, Group] = MappingProxyType(
    {
        "configuration": configuration.look,
        "databases": databases.look,
        "broker": broker.look,
        "neighbours": neighbours.look,
        "host": host.look,
        "clock": clock.look,
        "consoles": consoles.look,
        "certificates": certificates.look,
    }
)
