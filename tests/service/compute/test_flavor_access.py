import pytest
from tests.service.compute.harness import Api


@pytest.fixture(autouse=True)
def flavors(api: Api) -> None:
    for name, public in (("public", True), ("private", False)):
        body = {"name": name, "id": name, "ram": 1, "vcpus": 1, "disk": 1, "os-flavor-access:is_public": public}
        api.post("/flavors", {"flavor": body})


def add(project: str) -> dict[str, dict[str, str]]:
    return {"addTenantAccess": {"tenant": project}}


def remove(project: str) -> dict[str, dict[str, str]]:
    return {"removeTenantAccess": {"tenant": project}}


def test_projects_are_added_listed_and_removed(api: Api) -> None:
    api.post("/flavors/private/action", add("bb"))
    entry = {"flavor_id": "private", "tenant_id": "bb"}
    assert api.get("/flavors/private/os-flavor-access") == {"flavor_access": [entry]}
    assert api.post("/flavors/private/action", remove("bb")) == {"flavor_access": []}


def test_what_cannot_be(api: Api) -> None:
    api.post("/flavors/private/action", add("bb"))
    api.post("/flavors/private/action", add("bb"), status=409)
    api.post("/flavors/private/action", remove("cc"), status=404)
    api.post("/flavors/none/action", add("bb"), status=404)
    api.post("/flavors/private/action", {"addTenantAccess": {"tenant": ""}}, status=400)
    api.post("/flavors/private/action", {"unknown": {}}, status=400)
    api.post("/flavors/private/action", {**add("b"), **remove("b")}, status=400)
    api.get("/flavors/public/os-flavor-access", status=404)


def test_public_flavors_refuse_from_2_7(api: Api) -> None:
    api.post("/flavors/public/action", add("bb"), "2.6")
    api.post("/flavors/public/action", add("cc"), "2.7", status=409)


def test_only_admins(api: Api) -> None:
    member = api.member()
    member.get("/flavors/private/os-flavor-access", status=403)
    member.post("/flavors/private/action", add("bb"), status=403)
    member.post("/flavors/private/action", remove("bb"), status=403)
