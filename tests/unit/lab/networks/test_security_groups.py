from typing import Any

import pytest

from kilonova.lab.networks import errors
from kilonova.lab.networks.security_groups import _check_ports, _protocol


@pytest.mark.parametrize(
    ("given", "wanted"),
    [(None, None), ("any", None), ("TCP", "tcp"), (6, "tcp"), ("17", "udp"), (1, "icmp"), (112, "112"), ("gre", "gre")],
)
def test_protocols_are_stored_by_name(given: Any, wanted: str | None) -> None:
    assert _protocol(given) == wanted


@pytest.mark.parametrize("bad", ["tpc", 256, -1, "tcp; drop", "6.5"])
def test_unknown_protocols_are_refused(bad: Any) -> None:
    with pytest.raises(errors.InvalidInput, match="protocol"):
        _protocol(bad)


@pytest.mark.parametrize(
    ("protocol", "low", "high"),
    [
        ("tcp", 5, 4),
        ("tcp", None, 4),
        ("tcp", 5, None),
        (None, 1, 2),
        ("gre", 1, 2),
        ("icmp", None, 1),
        ("icmp", 256, None),
    ],
)
def test_impossible_port_ranges_are_refused(protocol: str | None, low: int | None, high: int | None) -> None:
    with pytest.raises(errors.SecurityGroupInvalidPortRange):
        _check_ports({"protocol": protocol, "port_range_min": low, "port_range_max": high})


@pytest.mark.parametrize(
    ("protocol", "low", "high"), [("tcp", 1, 1), ("icmp", 8, None), ("icmp", 3, 4), (None, None, None)]
)
def test_sensible_port_ranges_pass(protocol: str | None, low: int | None, high: int | None) -> None:
    _check_ports({"protocol": protocol, "port_range_min": low, "port_range_max": high})
