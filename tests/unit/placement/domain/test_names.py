import pytest

from kilonova.placement.domain.names import is_custom_form, is_name_form


@pytest.mark.parametrize(
    ("name", "custom", "plain"),
    [
        ("CUSTOM_A1", True, True),
        ("VCPU", False, True),
        ("CUSTOM_", False, True),
        ("CUSTOM_a", False, False),
        ("CUSTOM_A\n", False, False),
        ("", False, False),
        ("CUSTOM_" + "X" * 248, True, True),
        ("CUSTOM_" + "X" * 249, False, False),
    ],
)
def test_forms(name: str, custom: bool, plain: bool) -> None:
    assert (is_custom_form(name), is_name_form(name)) == (custom, plain)
