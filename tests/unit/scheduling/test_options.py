import pytest

from kilonova.kit.options import BadConfiguration, from_mapping
from kilonova.scheduling.options import DEFAULT_FILTERS, FilterOptions, MetricsOptions, SchedulerOptions


def test_defaults_and_values_of_the_file() -> None:
    configuration = from_mapping(
        {
            "filter_scheduler": {"host_subset_size": 3, "available_filters": ["a.B", "c.D"]},
            "scheduler": {"max_attempts": 5},
            "metrics": {"weight_setting": ["load=1.0"]},
        }
    )
    filters = configuration.section(FilterOptions)
    assert filters.enabled_filters == DEFAULT_FILTERS
    assert (filters.host_subset_size, filters.available_filters) == (3, ["a.B", "c.D"])
    assert configuration.section(SchedulerOptions).max_attempts == 5
    assert configuration.section(MetricsOptions).weight_setting == ["load=1.0"]


def test_limits_of_values_hold() -> None:
    with pytest.raises(BadConfiguration, match=r"host_subset_size: .*greater than or equal to 1"):
        from_mapping({"filter_scheduler": {"host_subset_size": 0}}).section(FilterOptions)
