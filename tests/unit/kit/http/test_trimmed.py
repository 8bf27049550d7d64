"""Dropping unknown keys, as APIs older than strict schemas do."""

from kilonova.kit.http.schema import Array, Field, Object, Schema

INNER = Object((Field(name="a", schema={"type": "integer"}), Field(name="b", schema={"type": "integer"}, since=(2, 5))))
SCHEMA = Schema(
    Object(
        (
            Field(name="one", schema=INNER),
            Field(name="many", schema=Array(INNER)),
            Field(name="free", schema={"type": "object"}),
            Field(name="form", schema=Object((), pattern={"^x": {}})),
        )
    )
)


def test_unknown_keys_go_at_every_depth() -> None:
    value = {"one": {"a": 1, "z": 2}, "many": [{"a": 1, "z": 2}, 3], "more": 1}
    assert SCHEMA.trimmed(value, (2, 1)) == {"one": {"a": 1}, "many": [{"a": 1}, 3]}


def test_what_a_version_lacks_is_unknown_there() -> None:
    assert SCHEMA.trimmed({"one": {"b": 1}}, (2, 4)) == {"one": {}}
    assert SCHEMA.trimmed({"one": {"b": 1}}, (2, 5)) == {"one": {"b": 1}}


def test_open_objects_and_known_forms_stay() -> None:
    value = {"free": {"anything": 1}, "form": {"xy": 1, "other": 2}}
    assert SCHEMA.trimmed(value, (2, 1)) == {"free": {"anything": 1}, "form": {"xy": 1}}


def test_values_of_other_types_are_left_for_the_validator() -> None:
    assert SCHEMA.trimmed({"one": "text"}, (2, 1)) == {"one": "text"}
    assert SCHEMA.trimmed([1], (2, 1)) == [1]
