from tests.service.compute.harness import Api


def test_list_and_show(api: Api) -> None:
    found = api.get("/extensions")["extensions"]
    assert len(found) == 99
    assert found[0] == api.get(f"/extensions/{found[0]['alias']}")["extension"]
    api.get("/extensions/nonsense", status=404)


def test_old_api_has_one_alias_more(api: Api) -> None:
    api.prefix = "/v2"
    assert len(api.get("/extensions")["extensions"]) == 100
