from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from tests.service.compute.harness import Api

from kilonova.domain.quota import QuotaOptions

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGKqnJdvPbIrxMWBOn6iFVvEVcNRyhoXVqP1VsFnGjXd someone@somewhere"


def imported(name: Any, **more: Any) -> dict[str, Any]:
    return {"keypair": {"name": name, "public_key": KEY, **more}}


def names(found: Any) -> list[str]:
    return [entry["keypair"]["name"] for entry in found["keypairs"]]


def test_generated_private_key_fits_the_public_one(api: Api) -> None:
    made = api.post("/os-keypairs", {"keypair": {"name": "a"}})["keypair"]
    private = serialization.load_pem_private_key(made["private_key"].encode(), None)
    line = private.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    assert made["public_key"].startswith(line.decode())
    assert "private_key" not in api.get("/os-keypairs/a")["keypair"]


def test_generation_ends_with_2_91(api: Api) -> None:
    assert (
        "public_key"
        in api.post("/os-keypairs", {"keypair": {"name": "a"}}, "2.92", status=400)["badRequest"]["message"]
    )


def test_statuses_by_version(api: Api) -> None:
    api.post("/os-keypairs", imported("a"), "2.1", status=200)
    api.post("/os-keypairs", imported("b"), "2.2", status=201)
    api.delete("/os-keypairs/a", "2.1", status=202)
    api.delete("/os-keypairs/b", "2.2", status=204)
    api.delete("/os-keypairs/b", "2.2", status=404)
    api.get("/os-keypairs/b", status=404)


@pytest.mark.parametrize(
    "change",
    [
        {"public_key": "ssh-rsa nonsense"},
        {"public_key": "ssh-rsa " + "A" * 2048 + " openstack@ubuntu"},
        {"public_key": ""},
        {"name": ""},
        {"name": "a" * 256},
        {"name": "a/b"},
        {"name": "a@b"},
        {"type": "gpg"},
        {"type": "x509"},
        {"unknown": 1},
    ],
)
def test_bad_input_is_400_and_leaves_nothing(api: Api, change: dict[str, Any]) -> None:
    api.post("/os-keypairs", imported(**{"name": "a", **change}), "2.2", status=400)
    assert names(api.get("/os-keypairs")) == []


def test_names_are_freer_from_2_92(api: Api) -> None:
    api.post("/os-keypairs", imported("me@this.domain"), "2.91", status=400)
    api.post("/os-keypairs", imported("me@this.domain"), "2.92", status=201)
    api.get("/os-keypairs/me@this.domain")


def test_names_are_unique_per_user(api: Api) -> None:
    api.post("/os-keypairs", imported("a"))
    api.post("/os-keypairs", imported("a"), status=409)
    api.member().post("/os-keypairs", imported("a"))


def test_admins_act_for_others_from_2_10(api: Api) -> None:
    api.post("/os-keypairs", imported("a", user_id="member"), "2.10", status=201)
    assert names(api.member().get("/os-keypairs")) == ["a"]
    assert names(api.get("/os-keypairs?user_id=member", "2.10")) == ["a"]
    assert names(api.get("/os-keypairs?user_id=member", "2.9")) == []
    assert api.get("/os-keypairs/a?user_id=member", "2.10")["keypair"]["user_id"] == "member"
    api.delete("/os-keypairs/a?user_id=member", "2.10")


def test_others_may_not(api: Api) -> None:
    member = api.member()
    member.get("/os-keypairs?user_id=admin", "2.10", status=403)
    member.post("/os-keypairs", imported("a", user_id="admin"), "2.10", status=403)
    member.delete("/os-keypairs/a?user_id=admin", "2.10", status=403)


def test_pages_from_2_35(api: Api) -> None:
    for name in "bca":
        api.post("/os-keypairs", imported(name))
    page = api.get("/os-keypairs?limit=2", "2.35")
    assert names(page) == ["a", "b"]
    path = page["keypairs_links"][0]["href"].split("/v2.1", 1)[1]
    assert names(api.get(path, "2.35")) == ["c"]
    assert names(api.get("/os-keypairs?limit=2", "2.34")) == ["a", "b", "c"]
    api.get("/os-keypairs?marker=x", "2.35", status=400)
    api.get("/os-keypairs?unknown=x", "2.75", status=400)


def test_quota_is_enforced_and_named(api: Api) -> None:
    object.__setattr__(api.compute, "quota", QuotaOptions(key_pairs=1))
    api.post("/os-keypairs", imported("a"))
    assert "key_pairs" in api.post("/os-keypairs", imported("b"), status=403)["forbidden"]["message"]


def test_x509_certificates_are_generated_and_imported(api: Api) -> None:
    made = api.post("/os-keypairs", {"keypair": {"name": "a", "type": "x509"}}, "2.2", status=201)["keypair"]
    assert made["public_key"].startswith("-----BEGIN CERTIFICATE-----")
    body = {"keypair": {"name": "b", "type": "x509", "public_key": made["public_key"]}}
    again = api.post("/os-keypairs", body, "2.2", status=201)["keypair"]
    assert again["fingerprint"] == made["fingerprint"]
    assert len(again["fingerprint"].split(":")) == 20


def test_list_takes_one_statement(api: Api) -> None:
    for name in "abc":
        api.post("/os-keypairs", imported(name))
    with api.compute.store.api.statements.watch() as seen:
        api.get("/os-keypairs", "2.104")
    assert len(seen) == 1
