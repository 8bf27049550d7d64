import pytest

from kilonova.kit.context import Context
from kilonova.kit.errors import Invalid
from kilonova.kit.http.endpoint import Call
from kilonova.kit.http.paging import limit_of, marker_of, next_link, sort_of

DEFAULT = (("created_at", "desc"), ("id", "desc"))


def call(**query: list[str]) -> Call:
    return Call(
        context=Context(), version=(2, 1), params={}, query=query, body=None, headers={}, base_url="http://h", app=None
    )


@pytest.mark.parametrize(("given", "limit"), [(None, 10), ("3", 3), ("99", 10), ("0", 0)])
def test_limits_are_held_below_the_maximum(given: str | None, limit: int) -> None:
    assert limit_of(call(limit=[given]) if given else call(), 10) == limit


@pytest.mark.parametrize("text", ["-1", "x"])
def test_bad_limits_are_refused_by_name(text: str) -> None:
    with pytest.raises(Invalid, match="limit"):
        limit_of(call(limit=[text]), 10)


def test_the_next_link_moves_the_marker_on() -> None:
    seen = call(limit=["2"], marker=["a"], name=["x y", "ü&="])
    assert marker_of(seen) == "a"
    link = next_link(seen, "/servers", "b")
    assert link == {"href": "http://h/servers?limit=2&name=x+y&name=%C3%BC%26%3D&marker=b", "rel": "next"}


@pytest.mark.parametrize(
    ("keys", "dirs", "order"),
    [
        ([], [], list(DEFAULT)),
        ([], ["asc"], [("created_at", "asc"), ("id", "asc")]),
        (["name"], [], [("name", "desc")]),
        (["name", "id"], ["asc"], [("name", "asc"), ("id", "asc")]),
        (["name", "id"], ["asc", "desc"], [("name", "asc"), ("id", "desc")]),
    ],
)
def test_orders(keys: list[str], dirs: list[str], order: list[tuple[str, str]]) -> None:
    assert sort_of(call(sort_key=keys, sort_dir=dirs), ("name", "id"), DEFAULT) == order


@pytest.mark.parametrize(
    ("keys", "dirs", "reason"),
    [
        (["size"], [], "sort_key. Value: size"),
        (["name"], ["up"], "sort_dir. Value: up"),
        (["name"], ["asc", "asc"], "more sort_dir"),
    ],
)
def test_orders_that_cannot_be_are_refused_by_name(keys: list[str], dirs: list[str], reason: str) -> None:
    with pytest.raises(Invalid, match=reason):
        sort_of(call(sort_key=keys, sort_dir=dirs), ("name", "id"), DEFAULT)
