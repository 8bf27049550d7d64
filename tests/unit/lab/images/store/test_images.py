from datetime import timedelta
from typing import Any, Protocol

import pytest

from kilonova.lab.images.store.images import Condition, DuplicateImage, ImageNotFound, ImageStore, Search


class Shelf(Protocol):
    store: ImageStore

    def put(self, key: str, tags: tuple[str, ...] = (), **values: Any) -> None: ...


def ids(store: ImageStore, **search: Any) -> list[str]:
    by_id = Search(**{"viewer": "me", "sort": (("id", "asc"),), **search})
    return [row["id"] for row in store.search(by_id)]


def test_an_image_comes_back_with_sorted_tags_and_goes_with_them(shelf: Shelf) -> None:
    shelf.put("i", ("z", "a", "z"), properties={"k": "v"})
    row = shelf.store.get("i")
    assert (row["tags"], row["properties"], row["min_disk"]) == (["a", "z"], {"k": "v"}, 0)
    with pytest.raises(DuplicateImage, match="i already exists"):
        shelf.put("i")
    shelf.store.remove("i")
    for action in (shelf.store.get, shelf.store.remove):
        with pytest.raises(ImageNotFound):
            action("i")
    with pytest.raises(ImageNotFound):
        shelf.store.change("i", {"name": "x"})


def test_what_a_project_sees_by_default_and_by_visibility(shelf: Shelf) -> None:
    for visibility in ("private", "public", "community", "shared"):
        shelf.put(f"mine-{visibility}", visibility=visibility)
        shelf.put(f"theirs-{visibility}", visibility=visibility, owner="them")
    shelf.put("given", visibility="shared", owner="them")
    now = shelf.store.get("given")["created_at"]
    assert shelf.store.add_member("given", "me", now)
    mine = ["mine-community", "mine-private", "mine-public", "mine-shared"]
    assert ids(shelf.store) == [*mine, "theirs-public"]
    assert ids(shelf.store, member_status="pending") == ["given", *mine, "theirs-public"]
    shelf.store.set_member("given", "me", "accepted", now)
    assert ids(shelf.store) == ["given", *mine, "theirs-public"]
    assert ids(shelf.store, visibility="community") == ["mine-community", "theirs-community"]
    assert ids(shelf.store, visibility="shared") == ["given", "mine-shared"]
    assert ids(shelf.store, visibility="all") == ["given", *mine, "theirs-community", "theirs-public"]
    assert ids(shelf.store, viewer=None) == ["theirs-public", "mine-public"][::-1]
    assert len(ids(shelf.store, everyones=True)) == 8
    assert len(ids(shelf.store, everyones=True, visibility="all")) == 9


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Condition("name", "small"), ["a"]),
        (Condition("size", 10, "gte"), ["b"]),
        (Condition("size", 10, "lt"), ["a"]),
        (Condition("name", "small", "neq"), ["b"]),
        (Condition("id", ["b", "zz"], "in"), ["b"]),
        (Condition("hw_machine_type", "q35"), ["b"]),
        (Condition("no_such_property", "q35"), []),
    ],
)
def test_conditions(shelf: Shelf, condition: Condition, expected: list[str]) -> None:
    shelf.put("a", name="small", size=1)
    shelf.put("b", name="large", size=10, properties={"hw_machine_type": "q35"})
    assert ids(shelf.store, conditions=(condition,)) == expected


def test_all_tags_must_be_there(shelf: Shelf) -> None:
    shelf.put("a", ("x",))
    shelf.put("b", ("x", "y"))
    assert ids(shelf.store, tags=("x",)) == ["a", "b"]
    assert ids(shelf.store, tags=("x", "y")) == ["b"]


@pytest.mark.parametrize("way", ["asc", "desc"])
def test_pages_join_into_the_whole_list_missing_values_too(shelf: Shelf, way: str) -> None:
    for key, size in {"a": 3, "b": None, "c": 1, "d": 3, "e": None}.items():
        shelf.put(key, size=size)
    order = (("size", way), ("id", way))
    whole = ids(shelf.store, sort=order)
    pages: list[str] = []
    while page := ids(shelf.store, sort=order, limit=2, marker=shelf.store.get(pages[-1]) if pages else None):
        pages.extend(page)
    assert pages == whole
    assert sorted(whole) == ["a", "b", "c", "d", "e"]


def test_a_page_takes_two_statements_whatever_its_length(shelf: Shelf) -> None:
    for number in range(10):
        shelf.put(f"i{number}", ("t",))
    with shelf.store._database.statements.watch() as seen:
        assert len(ids(shelf.store)) == 10
    assert len(seen) == 2


def test_a_status_moves_only_from_where_it_was_expected(shelf: Shelf) -> None:
    shelf.put("i", status="queued")
    assert shelf.store.move("i", "queued", {"status": "saving"})
    assert not shelf.store.move("i", "queued", {"status": "saving"})
    assert shelf.store.requeue() == 1
    assert shelf.store.get("i")["status"] == "queued"


def test_members_come_answer_and_go(shelf: Shelf) -> None:
    shelf.put("i", visibility="shared")
    now = shelf.store.get("i")["created_at"]
    assert shelf.store.add_member("i", "them", now)
    assert not shelf.store.add_member("i", "them", now)
    later = now + timedelta(hours=1)
    assert shelf.store.set_member("i", "them", "accepted", later)
    assert not shelf.store.set_member("i", "nobody", "accepted", later)
    (member,) = shelf.store.members("i")
    assert (member["status"], member["updated_at"]) == ("accepted", later)
    assert shelf.store.remove_member("i", "them")
    assert not shelf.store.remove_member("i", "them")
