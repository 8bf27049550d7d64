import pytest

from kilonova.scheduling.errors import BadSchedulerOption
from kilonova.scheduling.options import FilterOptions
from kilonova.scheduling.weighers.registry import BUILT_IN, enabled_weighers


def test_all_by_default() -> None:
    assert [type(weigher) for weigher in enabled_weighers(FilterOptions())] == list(BUILT_IN.values())


def test_some_by_upstream_path() -> None:
    options = FilterOptions(weight_classes=["nova.scheduler.weights.ram.RAMWeigher"])
    assert [weigher.name for weigher in enabled_weighers(options)] == ["RAMWeigher"]


@pytest.mark.parametrize("path", ["no.such.Thing", "Thing", "kilonova.scheduling.hosts.HostState", "os.nothing"])
def test_what_cannot_be_used_is_named(path: str) -> None:
    with pytest.raises(BadSchedulerOption, match=rf"weight_classes: '{path}'"):
        enabled_weighers(FilterOptions(weight_classes=[path]))
