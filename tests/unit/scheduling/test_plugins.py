import pytest

from kilonova.scheduling.errors import BadSchedulerOption
from kilonova.scheduling.filters.compute import ComputeFilter
from kilonova.scheduling.filters.contract import HostFilter
from kilonova.scheduling.plugins import plugins

OURS: dict[str, type[HostFilter]] = {"ComputeFilter": ComputeFilter}


def found(*paths: str) -> list[str]:
    contract: type[HostFilter] = HostFilter  # type: ignore[type-abstract]  # named, never made
    return list(plugins(paths, OURS, contract, everything="all.of.ours", option="[x] y"))


def test_ours_upstreams_and_operators() -> None:
    assert found("all.of.ours", "kilonova.scheduling.filters.io_ops.IoOpsFilter") == ["ComputeFilter", "IoOpsFilter"]
    assert found("nova.scheduler.filters.compute_filter.ComputeFilter") == ["ComputeFilter"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nova.scheduler.filters.gone.GoneFilter", "cannot be imported"),
        ("plain", "cannot be imported"),
        ("kilonova.scheduling.hosts.HostState", "not a subclass of HostFilter"),
        ("kilonova.scheduling.hosts.copy", "not a subclass of HostFilter"),
    ],
)
def test_what_cannot_be_used_is_named(path: str, words: str) -> None:
    with pytest.raises(BadSchedulerOption, match=words):
        found(path)
