from sqlalchemy.engine import Connection

from kilonova.store import server_groups, server_mappings


def make(api: Connection, name: str, project: str = "p", user: str = "u") -> None:
    values = {"uuid": f"uuid-{name}", "project_id": project, "user_id": user, "name": name}
    server_groups.create(api, {**values, "policy": "affinity", "rules": "{}", "created_at": "now"})


def test_pages_and_counts(api: Connection) -> None:
    for name, project, user in (("a", "p", "u"), ("b", "q", "u"), ("c", "p", "v")):
        make(api, name, project, user)
    assert [g["name"] for g in server_groups.page(api, "p")] == ["a", "c"]
    assert [g["name"] for g in server_groups.page(api, None, offset=1)] == ["b", "c"]
    assert [g["name"] for g in server_groups.page(api, None, offset=1, limit=1)] == ["b"]
    assert (server_groups.count(api, "p"), server_groups.count(api, "p", "v")) == (2, 1)


def test_members_are_those_that_count(api: Connection) -> None:
    api.exec_driver_sql("INSERT INTO cells (id, uuid, disabled) VALUES (1, 'c', 0)")
    shared = {"cell_id": 1, "cores": 1, "ram": 1, "project_id": "p", "user_id": "u", "confirmed": True}
    make(api, "a")
    make(api, "b")
    for number, uuid in enumerate(("s1", "s2", "s3")):
        server_mappings.add(api, [{**shared, "uuid": uuid, "created_at": f"{9 - number}", "counted": uuid != "s2"}])
    server_groups.add_members(api, "uuid-a", ["s1", "s2", "s3"])
    groups = [g["id"] for g in server_groups.page(api, "p")]
    assert server_groups.living_members(api, groups) == {groups[0]: ["s3", "s1"], groups[1]: []}
    assert server_groups.living_members(api, []) == {}


def test_deleting_takes_members_along(api: Connection) -> None:
    make(api, "a")
    server_groups.add_members(api, "uuid-a", ["s1"])
    assert server_groups.delete(api, "uuid-a")
    assert not server_groups.delete(api, "uuid-a")
    assert server_groups.of_server(api, "s1") == []
