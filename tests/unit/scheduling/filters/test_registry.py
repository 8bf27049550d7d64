import pytest

from kilonova.scheduling.errors import BadSchedulerOption
from kilonova.scheduling.filters.registry import BUILT_IN, enabled_filters
from kilonova.scheduling.options import DEFAULT_FILTERS, FilterOptions


def test_the_default_filters_in_their_order() -> None:
    assert [filter_.name for filter_ in enabled_filters(FilterOptions())] == DEFAULT_FILTERS


def test_every_filter_words_its_refusals_without_figures() -> None:
    assert all(cls.user_words and not any(c.isdigit() for c in cls.user_words) for cls in BUILT_IN.values())


def test_upstream_paths_name_our_filters() -> None:
    options = FilterOptions(
        available_filters=["nova.scheduler.filters.compute_filter.ComputeFilter"], enabled_filters=["ComputeFilter"]
    )
    assert [filter_.name for filter_ in enabled_filters(options)] == ["ComputeFilter"]


def test_an_operators_filter_comes_by_path() -> None:
    path = "kilonova.scheduling.filters.io_ops.IoOpsFilter"
    options = FilterOptions(available_filters=[path], enabled_filters=["IoOpsFilter"])
    assert [filter_.name for filter_ in enabled_filters(options)] == ["IoOpsFilter"]


@pytest.mark.parametrize(
    "options",
    [
        FilterOptions(enabled_filters=["NoSuchFilter"]),
        FilterOptions(available_filters=["nova.scheduler.filters.compute_filter.ComputeFilter"]),
    ],
)
def test_an_unknown_filter_is_named(options: FilterOptions) -> None:
    with pytest.raises(BadSchedulerOption, match=r"enabled_filters: 'NoSuch|enabled_filters: 'ComputeCap"):
        enabled_filters(options)
