import pytest
from sqlalchemy.engine import Connection

from kilonova.domain.keypair import KeypairExists, KeypairMarkerNotFound, KeypairNotFound
from kilonova.store import keypairs


def make(api: Connection, user: str, name: str) -> None:
    values = {"user_id": user, "name": name, "type": "ssh", "fingerprint": "f", "public_key": "k", "created_at": "now"}
    keypairs.create(api, values)


def test_users_have_their_own(api: Connection) -> None:
    for user, name in (("u", "b"), ("u", "a"), ("v", "a")):
        make(api, user, name)
    assert [row["name"] for row in keypairs.page(api, "u")] == ["a", "b"]
    assert (keypairs.count(api, "u"), keypairs.count(api, "v"), keypairs.count(api, "w")) == (2, 1, 0)
    with pytest.raises(KeypairExists):
        make(api, "u", "a")
    keypairs.delete(api, "u", "a")
    assert keypairs.find(api, "v", "a")["user_id"] == "v"
    with pytest.raises(KeypairNotFound):
        keypairs.find(api, "u", "a")
    with pytest.raises(KeypairNotFound):
        keypairs.delete(api, "u", "a")


def test_pages(api: Connection) -> None:
    for name in "cab":
        make(api, "u", name)
    make(api, "v", "z")
    assert [row["name"] for row in keypairs.page(api, "u", limit=1, marker="a")] == ["b"]
    with pytest.raises(KeypairMarkerNotFound):
        keypairs.page(api, "u", marker="z")
