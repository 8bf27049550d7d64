from typing import Any

import pytest
from sqlalchemy.engine import Connection

from kilonova.domain.flavor import (
    ExtraSpecNotFound,
    FlavorAccessExists,
    FlavorAccessNotFound,
    FlavorExists,
    FlavorMarkerNotFound,
    FlavorNotFound,
)
from kilonova.store import flavors
from kilonova.store.flavors import FlavorQuery


def make(api: Connection, ident: str, **more: Any) -> Any:
    values = {
        "flavor_id": ident,
        "name": ident,
        "vcpus": 1,
        "memory_mb": 512,
        "root_gb": 1,
        "ephemeral_gb": 0,
        "swap_mb": 0,
        "rxtx_factor": 1.0,
        "is_public": True,
        "disabled": False,
        **more,
    }
    return flavors.create(api, values)


def ids(api: Connection, **wanted: Any) -> list[str]:
    return [row["flavor_id"] for row in flavors.page(api, FlavorQuery(**{"limit": 9, **wanted}))]


def test_create_gives_the_row_with_empty_specs(api: Connection) -> None:
    made = make(api, "a")
    assert (made["flavor_id"], made["extra_specs"]) == ("a", "{}")


@pytest.mark.parametrize(("clash", "words"), [({"name": "a"}, "name a"), ({"flavor_id": "a"}, "ID a")])
def test_create_says_what_is_taken(api: Connection, clash: dict[str, str], words: str) -> None:
    make(api, "a")
    with pytest.raises(FlavorExists, match=words):
        make(api, "b", **clash)


def test_access_decides_about_private_flavors(api: Connection) -> None:
    make(api, "public")
    private = make(api, "private", is_public=False)
    flavors.allow(api, private, "p")
    assert ids(api, project_id="p") == ["private", "public"]
    assert ids(api, project_id="q") == ["public"]
    assert ids(api) == ["public"]
    assert ids(api, public=False) == ["private"]
    assert ids(api, public=None) == ["private", "public"]
    assert flavors.find(api, "private", project_id="p")["id"] == private["id"]
    assert flavors.find(api, "private", project_id=None, see_all=True)["id"] == private["id"]
    with pytest.raises(FlavorNotFound):
        flavors.find(api, "private", project_id="q")


def test_access_is_given_and_taken_once(api: Connection) -> None:
    flavor = make(api, "a", is_public=False)
    flavors.allow(api, flavor, "q")
    flavors.allow(api, flavor, "p")
    assert flavors.projects(api, flavor["id"]) == ["p", "q"]
    with pytest.raises(FlavorAccessExists):
        flavors.allow(api, flavor, "p")
    flavors.disallow(api, flavor, "p")
    with pytest.raises(FlavorAccessNotFound):
        flavors.disallow(api, flavor, "p")


def test_filters(api: Connection) -> None:
    make(api, "small")
    make(api, "big_one", memory_mb=1024, root_gb=20, disabled=True)
    assert ids(api, min_ram=513) == ids(api, min_disk=2) == ids(api, disabled=True) == ["big_one"]
    assert ids(api, name="mal") == ["small"]
    assert ids(api, name="_") == ["big_one"]


def test_marker_must_exist(api: Connection) -> None:
    with pytest.raises(FlavorMarkerNotFound):
        ids(api, marker="none")


def test_deleting_takes_access_along(api: Connection) -> None:
    flavors.allow(api, make(api, "a", is_public=False), "p")
    flavors.delete(api, "a")
    with pytest.raises(FlavorNotFound):
        flavors.delete(api, "a")
    assert flavors.projects(api, make(api, "a", is_public=False)["id"]) == []


def test_extra_specs_merge_and_drop(api: Connection) -> None:
    make(api, "a")
    flavors.merge_extra_specs(api, "a", {"k": "1", "l": "2"}, "now")
    assert flavors.merge_extra_specs(api, "a", {"k": "3"}, "now") == {"k": "3", "l": "2"}
    flavors.drop_extra_spec(api, "a", "l", "then")
    found = flavors.find(api, "a", project_id=None)
    assert (found["extra_specs"], found["updated_at"]) == ('{"k":"3"}', "then")
    with pytest.raises(ExtraSpecNotFound):
        flavors.drop_extra_spec(api, "a", "l", "then")
    with pytest.raises(FlavorNotFound):
        flavors.merge_extra_specs(api, "none", {}, "now")


def test_describe(api: Connection) -> None:
    make(api, "a")
    assert flavors.describe(api, "a", "words", "then")["description"] == "words"
    with pytest.raises(FlavorNotFound):
        flavors.describe(api, "none", "words", "then")
