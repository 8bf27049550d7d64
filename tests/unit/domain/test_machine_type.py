import pytest

from kilonova.domain.machine_type import may_become, recorded, too_old
from kilonova.kit import codec


@pytest.mark.parametrize(
    ("before", "after", "allowed"),
    [
        ("pc-q35-6.0", "pc-q35-7.2", True),
        ("pc-q35-7.2", "pc-q35-6.0", False),
        ("pc-q35-7.2", "q35", True),
        ("q35", "pc-q35-7.2", True),
        ("pc", "pc-i440fx-7.2", True),
        ("pc", "q35", False),
        ("pc-i440fx-7.2", "pc-q35-7.2", False),
        ("virt", "virt-7.2", True),
    ],
)
def test_a_machine_keeps_its_kind_and_never_gets_older(before: str, after: str, allowed: bool) -> None:
    assert may_become(before, after) is allowed


@pytest.mark.parametrize(
    ("name", "old"),
    [("pc-i440fx-1.2", True), ("pc-q35-2.3", True), ("pc-q35-2.4", False), ("q35", False), ("s390-ccw-virtio", False)],
)
def test_what_no_qemu_has_any_more(name: str, old: bool) -> None:
    assert too_old(name) is old


def test_what_the_image_asks_for_is_what_is_recorded() -> None:
    assert codec.loads(recorded('{"id": "i"}', "q35")) == {"id": "i", "properties": {"hw_machine_type": "q35"}}
    asked = '{"id":"i","properties":{"hw_machine_type":"pc"}}'
    assert recorded(asked, "q35") == asked
