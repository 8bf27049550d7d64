from typing import Any, Protocol

import pytest

from kilonova.kit.context import Context
from kilonova.lab.images import access
from kilonova.lab.images.store.images import ImageNotFound, ImageStore

OWNER = Context(project_id="me", roles=("member", "reader"))
READER = Context(project_id="me", roles=("reader",))
OTHER = Context(project_id="other", roles=("member", "reader"))
ADMIN = Context(project_id="boss", roles=("admin",))


class Shelf(Protocol):
    store: ImageStore

    def put(self, key: str, tags: tuple[str, ...] = (), **values: Any) -> None: ...


@pytest.mark.parametrize(
    ("visibility", "seen"), [("private", False), ("shared", False), ("public", True), ("community", True)]
)
def test_what_another_project_sees(shelf: Shelf, visibility: str, seen: bool) -> None:
    shelf.put("i", visibility=visibility)
    for caller in (OWNER, READER, ADMIN):
        assert access.visible(shelf.store, caller, "i")["id"] == "i"
    if seen:
        assert access.visible(shelf.store, OTHER, "i")["id"] == "i"
    else:
        with pytest.raises(ImageNotFound):
            access.visible(shelf.store, OTHER, "i")


def test_members_see_a_shared_image_even_before_they_accept(shelf: Shelf) -> None:
    shelf.put("i", visibility="shared")
    shelf.store.add_member("i", "other", shelf.store.get("i")["created_at"])
    assert access.visible(shelf.store, OTHER, "i")["id"] == "i"
    with pytest.raises(access.NotAllowed):
        access.changeable(shelf.store, OTHER, "i", "modify_image")


def test_only_writers_of_the_owner_and_admins_change(shelf: Shelf) -> None:
    shelf.put("i", visibility="public")
    for caller in (OWNER, ADMIN):
        assert access.changeable(shelf.store, caller, "i", "modify_image")["id"] == "i"
    for caller in (READER, OTHER):
        with pytest.raises(access.NotAllowed, match="modify_image"):
            access.changeable(shelf.store, caller, "i", "modify_image")


def test_nobody_owns_an_image_without_owner(shelf: Shelf) -> None:
    shelf.put("i", owner=None)
    with pytest.raises(ImageNotFound):
        access.visible(shelf.store, Context(project_id=None, roles=("member",)), "i")


def test_only_admins_publish() -> None:
    access.demand_publisher(ADMIN, "public")
    access.demand_publisher(OWNER, "community")
    with pytest.raises(access.NotAllowed, match="publicize_image"):
        access.demand_publisher(OWNER, "public")
