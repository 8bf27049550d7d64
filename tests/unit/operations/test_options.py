import pytest

from kilonova.operations.options import ConductorOptions


@pytest.mark.parametrize(("after", "seconds"), [(0, 60), (1, 1), (10, 5), (3600, 60)])
def test_servers_are_reclaimed_when_promised(after: int, seconds: float) -> None:
    assert ConductorOptions(reclaim_instance_interval=after).reclaim_interval == seconds


@pytest.mark.parametrize(("poll", "seconds"), [(3600, 3600), (0, 60), (5, 5)])
def test_the_shelf_is_looked_at_as_often_as_configured(poll: int, seconds: float) -> None:
    assert ConductorOptions(shelved_poll_interval=poll).offload_interval == seconds
