from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova.scheduling.expressions import satisfies


@pytest.mark.parametrize(
    ("value", "requirement", "met"),
    [
        (1, "1", True),
        ("1", "1", True),
        ("x y", "x y", True),
        ("2", "= 1", True),
        ("0", "= 1", False),
        ("1.0", "== 1", True),
        (2, "!= 1", True),
        (1, "!= 1", False),
        (3, ">= 3", True),
        (2, ">=3", False),
        (3, "<= 3", True),
        (4, "<= 3", False),
        ("abc", ">= 3", False),
        (3, ">= abc", False),
        ("123", "s== 123", True),
        ("1234", "s== 123", False),
        ("1234", "s!= 123", True),
        ("abc", "s< abd", True),
        ("abd", "s< abd", False),
        ("abd", "s<= abd", True),
        ("abe", "s> abd", True),
        ("abe", "s>= abe", True),
        ("abc", "s>= abe", False),
        ("12311321", "<in> 11", True),
        ("12310321", "<in> 11", False),
        (["aes", "mmx"], "<in> aes", True),
        (["aes", "mmx"], "<in> ae", False),
        (["aes", "mmx"], "<all-in> aes mmx", True),
        (["aes"], "<all-in> aes mmx", False),
        ("aes-mmx", "<all-in> aes mmx", True),
        ("12", "<or> 11 <or> 12", True),
        (12, "<or> 11 <or> 12", True),
        ("13", "<or> 11 <or> 12", False),
        ("", "", True),
        ("x", "", False),
    ],
)
def test_the_documented_operators(value: Any, requirement: str, met: bool) -> None:
    assert satisfies(value, requirement) is met


@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6))
def test_numbers_compare_as_numbers(value: int, limit: int) -> None:
    assert satisfies(str(value), f">= {limit}") is (value >= limit)
    assert satisfies(value, f"<= {limit}") is (value <= limit)
    assert satisfies(value, f"== {limit}") is not satisfies(value, f"!= {limit}")


@given(st.text(), st.text())
def test_no_text_raises(value: str, requirement: str) -> None:
    assert satisfies(value, requirement) in (True, False)
