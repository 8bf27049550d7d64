import pytest

from kilonova.scheduling.context import metadata_keys, ratios
from kilonova.scheduling.errors import BadSchedulerOption
from kilonova.scheduling.hosts import Aggregate, HostState


def test_keys_of_all_hosts_aggregates() -> None:
    shared = Aggregate("a", {"ssd": "1"})
    hosts = [
        HostState("h1", "h1", "p1", "c", aggregates=(shared,)),
        HostState("h2", "h2", "p2", "c", aggregates=(shared, Aggregate("b", {"rack": "2"}))),
        HostState("h3", "h3", "p3", "c"),
    ]
    assert metadata_keys(hosts) == {"ssd", "rack"}


def test_ratios_of_an_option() -> None:
    assert ratios(["load=1.5", " heat = -2", "plain"], "x") == {"load": 1.5, "heat": -2.0, "plain": 1.0}
    with pytest.raises(BadSchedulerOption, match="Option x: 'load=much'"):
        ratios(["load=much"], "x")
