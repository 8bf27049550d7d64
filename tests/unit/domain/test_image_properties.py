import pytest

from kilonova.domain.image_properties import BadImageProperty, UnknownImageProperty, check


@pytest.mark.parametrize(
    ("name", "value"),
    [("os_type", "linux"), ("hw_disk_bus", "virtio"), ("hw_numa_mem.1", "512"), ("trait:HW_CPU_X86_AVX", "required")],
)
def test_valid(name: str, value: str) -> None:
    check(name, value)


def test_invalid() -> None:
    with pytest.raises(UnknownImageProperty, match="my_own"):
        check("my_own", "1")
    with pytest.raises(BadImageProperty, match="hw_disk_bus has value 'floppy'"):
        check("hw_disk_bus", "floppy")
