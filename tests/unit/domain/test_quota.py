import pytest

from kilonova.domain import quota


def test_limits_go_by_the_apis_names() -> None:
    limits = quota.QuotaOptions(injected_file_path_length=7, cores=3).limits()
    assert tuple(limits) == quota.RESOURCES
    assert (limits["injected_file_path_bytes"], limits["cores"]) == (7, 3)


def test_the_driver_without_quotas_limits_nothing() -> None:
    options = quota.QuotaOptions(driver="nova.quota.NoopQuotaDriver")
    assert options.unlimited
    assert set(options.limits().values()) == {quota.UNLIMITED}


@pytest.mark.parametrize(
    ("limit", "used", "requested", "over"), [(5, 4, 1, False), (5, 5, 1, True), (0, 0, 1, True), (-1, 99, 9, False)]
)
def test_exceeds(limit: int, used: int, requested: int, *, over: bool) -> None:
    assert quota.exceeds(limit, used, requested) is over


@pytest.mark.parametrize("resource", ["cores", "key_pairs", "server_groups", "server_group_members"])
def test_errors_name_the_limit(resource: str) -> None:
    with pytest.raises(quota.OverLimit, match=resource):
        quota.demand(resource, 1, 1)
    quota.demand(resource, 2, 1)


@pytest.mark.parametrize(
    ("strategy", "listed", "expected"),
    [
        ("require", ["servers"], {"instances": 0, "cores": 7, "key_pairs": -1}),
        ("require", ["server_key_pairs"], {"instances": -1, "cores": 7, "key_pairs": 0}),
        ("ignore", ["servers"], {"instances": -1, "cores": 7, "key_pairs": 0}),
    ],
)
def test_what_keystone_has_no_limit_of(strategy: str, listed: list[str], expected: dict[str, int]) -> None:
    options = quota.QuotaOptions(
        driver="nova.quota.UnifiedLimitsDriver",
        unified_limits_resource_strategy=strategy,
        unified_limits_resource_list=listed,
    )
    assert options.unified
    limits = options.with_unified({"class:VCPU": 7}).limits()
    assert {name: limits[name] for name in expected} == expected
