from kilonova.scheduling.filters.limits import smallest
from kilonova.scheduling.hosts import Aggregate, HostState


def test_metadata_beats_the_option_even_when_larger() -> None:
    host = HostState("h", "h", "p", "c", aggregates=(Aggregate("a", {"cap": "70"}), Aggregate("b", {"cap": "60, 90"})))
    assert smallest(host, "cap", 50) == 60
    assert smallest(host, "other", 50) == 50
