from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kilonova.kit.http.document import Document, Out

DOCUMENT = Document(
    (
        Out("id"),
        Out("label", "name"),
        Out("size", lambda row, _view: str(row["size"]), until=(2, 9)),
        Out("size", since=(2, 10)),
        Out("owner", lambda _row, view: view["owner"], since=(2, 5), until=(2, 19)),
        Out("secret", group="admin"),
    )
)
ROW = {"id": 1, "name": "n", "size": 3, "secret": "s"}
VIEW = {"owner": "o"}


def shown(minor: int, *groups: str) -> dict[str, Any]:
    return DOCUMENT.compile((2, minor), frozenset(groups))(ROW, VIEW)


def test_each_version_has_its_own_fields() -> None:
    assert shown(1) == {"id": 1, "label": "n", "size": "3"}
    assert shown(9) == {"id": 1, "label": "n", "size": "3", "owner": "o"}
    assert shown(10) == {"id": 1, "label": "n", "size": 3, "owner": "o"}
    assert shown(20) == {"id": 1, "label": "n", "size": 3}


def test_groups_are_shown_to_who_asks() -> None:
    assert shown(20, "admin")["secret"] == "s"
    assert "secret" not in shown(20, "other")


def test_one_function_serves_a_whole_stretch() -> None:
    assert DOCUMENT.boundaries() == [(0, 0), (2, 5), (2, 10), (2, 20)]
    assert DOCUMENT.compile((2, 5)) is DOCUMENT.compile((2, 9))
    assert DOCUMENT.compile((2, 9)) is not DOCUMENT.compile((2, 10))
    assert DOCUMENT.compile((2, 5)) is not DOCUMENT.compile((2, 5), frozenset({"admin"}))


def test_documents_of_no_and_of_one_column() -> None:
    assert Document(()).compile((1, 0))(ROW, None) == {}
    assert Document((Out("id"),)).compile((1, 0))(ROW, None) == {"id": 1}


@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(0, 30)), max_size=8),
    st.integers(1, 40),
)
def test_a_field_is_there_exactly_between_its_versions(ranges: list[tuple[int, int]], minor: int) -> None:
    fields = [Out(f"f{i}", "x", (2, low), (2, low + more)) for i, (low, more) in enumerate(ranges)]
    expected = {f"f{i}" for i, (low, more) in enumerate(ranges) if low <= minor <= low + more}
    assert set(Document(fields).compile((2, minor))({"x": 1}, None)) == expected
