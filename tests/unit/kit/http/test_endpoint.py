import pytest

from kilonova.kit.context import Context
from kilonova.kit.errors import Invalid
from kilonova.kit.http.endpoint import Call, Endpoint


def call(**query: list[str]) -> Call:
    return Call(
        context=Context(), version=(2, 9), params={}, query=query, body=None, headers={}, base_url="http://h", app=None
    )


def test_the_last_value_counts() -> None:
    assert call(a=["1", "2"]).one("a") == "2"
    assert call().one("a", "else") == "else"


@pytest.mark.parametrize(
    ("text", "reason"),
    [("x", "an integer"), ("", "an integer"), ("1.5", "integer"), ("-1", "at least 0")],
)
def test_what_is_no_whole_number_is_refused_by_name(text: str, reason: str) -> None:
    with pytest.raises(Invalid, match=f"parameters n. Value: {text}. .*{reason}"):
        call(n=[text]).integer("n")


def test_whole_numbers() -> None:
    assert call(n=["7"]).integer("n") == 7
    assert call().integer("n", 3) == 3


def test_versions() -> None:
    later = (((2, 5), 202),)
    endpoint = Endpoint(method="GET", path="/", handler=lambda _call: None, since=(2, 2), until=(2, 10), statuses=later)
    assert [endpoint.lives((2, minor)) for minor in (1, 2, 10, 11)] == [False, True, True, False]
    assert [endpoint.status_at((2, minor)) for minor in (4, 5, 9)] == [200, 202, 202]
    assert call().at_least(9)
    assert not call().at_least(10)
