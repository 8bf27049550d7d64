import pytest

from kilonova.kit.http.schema import Array, Field, InvalidInput, Object, Schema, add_format, is_uuid, merged

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


def test_errors_name_the_field_inside_of_what_wraps_the_body() -> None:
    """As clients' own suites expect."""
    with pytest.raises(
        InvalidInput, match=r"field/attribute a\. Value: long text\. 'long text' is not of type 'integer'"
    ):
        SCHEMA.validate({"one": {"a": "long text"}}, (2, 1))
    with pytest.raises(InvalidInput, match="field/attribute many/0/a"):
        SCHEMA.validate({"many": [{"a": "x"}]}, (2, 1))


VERSIONED = Schema(
    Object(
        (
            *merged(
                [Field(name="name", schema={"type": "string", "maxLength": 5}, required=True)],
                [Field(name="size", schema={"type": "integer"}, until=(2, 4))],
            ),
            Field(name="size", schema={"type": "string"}, since=(2, 6)),
            Field(name="id", schema={"type": "string", "format": "uuid"}),
        ),
        strict_since=(2, 2),
    )
)


@pytest.mark.parametrize(
    ("value", "version", "words"),
    [
        ({"name": "a", "size": 1}, (2, 4), None),
        ({"name": "a", "size": 1}, (2, 5), "'size' was unexpected"),
        ({"name": "a", "size": 1}, (2, 6), "field/attribute size. Value: 1. 1 is not of type 'string'"),
        ({"name": "a", "size": "1"}, (2, 99), None),
        ({"name": "a", "else": 1}, (2, 1), None),
        ({"name": "a", "else": 1}, (2, 2), "'else' was unexpected"),
        ({}, (2, 1), "'name' is a required property"),
        ({"name": "toolong"}, (2, 1), "field/attribute name. Value: toolong"),
        ({"name": "a", "id": "x"}, (2, 1), "field/attribute id. Value: x"),
        ([], (2, 1), "for body"),
        ({"name": 1 << 80}, (2, 1), "field/attribute name"),
        ({"name": "x" * 1000}, (2, 1), "..."),
    ],
)
def test_values_are_held_to_their_version(value: object, version: tuple[int, int], words: str | None) -> None:
    if words is None:
        VERSIONED.validate(value, version)
        return
    with pytest.raises(InvalidInput) as caught:
        VERSIONED.validate(value, version)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 1500


def test_an_integer_beyond_64_bits_may_be_right() -> None:
    Schema({"type": "integer"}).validate(1 << 80, (2, 1))


def test_known_names_and_json_schemas_follow_the_version() -> None:
    assert VERSIONED.known((2, 1)) == VERSIONED.known((2, 6)) == {"name", "size", "id"}
    assert VERSIONED.known((2, 5)) == {"name", "id"}
    assert VERSIONED.json_schema((2, 1))["additionalProperties"] is True
    nested = Schema(Object((Field(name="many", schema=Array(INNER, {"maxItems": 1})),)))
    assert "b" not in nested.json_schema((2, 4))["properties"]["many"]["items"]["properties"]
    assert "b" in nested.json_schema((2, 5))["properties"]["many"]["items"]["properties"]
    with pytest.raises(InvalidInput, match="many"):
        nested.validate({"many": [{}, {}]}, (2, 5))


def test_formats_are_one_function_each() -> None:
    add_format("shout", str.isupper)
    shouted = Schema({"type": ["string", "null"], "format": "shout"}, where="query")
    for value in ("A", None):
        shouted.validate(value, (2, 1))
    with pytest.raises(InvalidInput, match=r"for query\. Value: a"):
        shouted.validate("a", (2, 1))
    plain = "0123456789abcdef0123456789ABCDEF"
    dashed = "01234567-89ab-cdef-0123-456789abcdef"
    assert [is_uuid(text) for text in (plain, dashed)] == [True, True]
    assert [is_uuid(text) for text in (plain[1:], f"{dashed} ", f"{{{dashed}}}", "")] == [False] * 4
