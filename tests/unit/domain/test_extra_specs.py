import pytest

from kilonova.domain import extra_specs


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("hw:cpu_policy", "dedicated"),
        ("hw:numa_nodes", "2"),
        ("hw:numa_cpus.0", "0-3,^2"),
        ("hw:numa_mem.12", "1024"),
        ("hw:mem_page_size", "2048"),
        ("hw:mem_page_size", "1GB"),
        ("hw:mem_page_size", "any"),
        ("hw:boot_menu", "True"),
        ("quota:cpu_quota", "-1"),
        ("resources:VCPU", "0"),
        ("resources_GROUP-1:CUSTOM_THING", "4"),
        ("resources1:VCPU", "4"),
        ("trait:HW_CPU_X86_AVX", "required"),
        ("trait1:CUSTOM_X", "forbidden"),
        ("group_policy", "none"),
        ("capabilities:cpu_info:topology:cores", "<in> 4"),
        ("aggregate_instance_extra_specs:any thing", "x"),
        ("my:own", "x"),
        ("nonamespace", "x"),
    ],
)
def test_valid(key: str, value: str) -> None:
    extra_specs.check(key, value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("hw:cpu_policy", "Dedicated"),
        ("hw:numa_nodes", "0"),
        ("hw:numa_nodes", "two"),
        ("hw:numa_cpus.x", "0"),
        ("hw:mem_page_size", "huge"),
        ("hw:boot_menu", "maybe"),
        ("hw:unknown", "1"),
        ("quota:disk_io_limit", "-1"),
        ("resources:vcpu", "1"),
        ("resources:VCPU", "-1"),
        ("trait:CUSTOM_X", "maybe"),
        ("trait1:CUSTOM_X", "optional"),
        ("group_policy", "any"),
        ("os:unknown", "x"),
    ],
)
def test_invalid_names_the_key(key: str, value: str) -> None:
    with pytest.raises(extra_specs.InvalidExtraSpec) as caught:
        extra_specs.check(key, value)
    assert key in str(caught.value)
