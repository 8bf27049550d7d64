from typing import Any

import pytest

from kilonova.api import fields
from kilonova.kit.errors import Invalid
from kilonova.kit.http.schema import Field, Schema


def accepts(schema: Any, value: Any) -> bool:
    try:
        fields.body(Field(name="key", schema=schema)).validate({"key": value}, (2, 1))
    except Invalid:
        return False
    return True


def test_errors_name_the_field() -> None:
    with pytest.raises(Invalid, match="key"):
        fields.body(Field(name="key", schema=fields.NAME)).validate({"key": 1}, (2, 1))


@pytest.mark.parametrize("value", ["a", "ä b", "a\u00a0b", "a" * 255])
def test_names(value: str) -> None:
    assert accepts(fields.NAME, value)


@pytest.mark.parametrize("value", ["", " a", "a ", "a\nb", "a\u0000", "a" * 256, 1, None])
def test_what_is_no_name(value: Any) -> None:
    assert not accepts(fields.NAME, value)


def test_zone_names_have_no_colon() -> None:
    assert accepts(fields.AZ_NAME, "a")
    assert not accepts(fields.AZ_NAME, "a:b")


@pytest.mark.parametrize(("value", "fine"), [("YQ==", True), ("Y Q\n==", True), ("YQ=", False), ("ä", False)])
def test_base64(value: str, *, fine: bool) -> None:
    assert accepts({"type": "string", "format": "base64"}, value) is fine


@pytest.mark.parametrize("value", [True, "True", "1", "on", "yes", "t"])
def test_true(value: Any) -> None:
    assert accepts(fields.BOOLEAN, value)
    assert fields.truth(value)


@pytest.mark.parametrize("value", [False, "False", "0", "off", "no", "f"])
def test_false(value: Any) -> None:
    assert accepts(fields.BOOLEAN, value)
    assert not fields.truth(value)


@pytest.mark.parametrize("value", [1, 0, None, "maybe", "", []])
def test_neither(value: Any) -> None:
    assert not accepts(fields.BOOLEAN, value)


@pytest.mark.parametrize("value", [1, "1", 10, "10"])
def test_whole_numbers(value: Any) -> None:
    assert accepts(fields.integer(1, 10), value)
    assert fields.whole("key", value, 1, 10) == int(value)


@pytest.mark.parametrize("value", [0, 11, 1.5, "x", "-1", "", True, None, 10**30])
def test_what_is_no_whole_number_in_range(value: Any) -> None:
    assert not accepts(fields.integer(1, 10), value)


def test_strings_of_digits_out_of_range_are_found_when_read() -> None:
    assert accepts(fields.integer(1, 10), "11")
    with pytest.raises(Invalid, match="key"):
        fields.whole("key", "11", 1, 10)
    assert fields.whole("key", "-1", -1) == -1


def test_nullable() -> None:
    assert accepts(fields.nullable(fields.NAME), None)
    assert accepts(fields.nullable(fields.NAME), "a")
    assert not accepts(fields.nullable(fields.NAME), "")


def test_queries_know_their_keys_by_version() -> None:
    query: Schema = fields.query("limit", fields.key("name", since=(2, 5)))
    assert query.known((2, 4)) == {"limit"}
    assert query.known((2, 5)) == {"limit", "name"}
    query.validate({"limit": ["5"], "name": ["a", "b"]}, (2, 5))
    with pytest.raises(Invalid, match="limit"):
        query.validate({"limit": ["x"]}, (2, 5))
    with pytest.raises(Invalid):
        fields.no_query().validate({"any": ["1"]}, (2, 5))
