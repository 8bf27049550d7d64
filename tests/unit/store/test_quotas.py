from sqlalchemy.engine import Connection

from kilonova.store import quotas, server_mappings

OPTIONS = {"cores": 20, "ram": 100}


def test_the_nearest_limit_holds(api: Connection) -> None:
    assert quotas.limits(api, "p", OPTIONS) == OPTIONS
    quotas.set_class_limits(api, "default", {"cores": 30})
    quotas.set_class_limits(api, "other", {"cores": 1})
    assert quotas.limits(api, "p", OPTIONS) == {"cores": 30, "ram": 100}
    quotas.set_limits(api, "p", {"cores": 40})
    quotas.set_limits(api, "p", {"cores": 35, "ram": -1}, "u")
    assert quotas.limits(api, "p", OPTIONS) == quotas.limits(api, "p", OPTIONS, "v") == {"cores": 40, "ram": 100}
    assert quotas.limits(api, "p", OPTIONS, "u") == {"cores": 35, "ram": -1}
    assert quotas.limits(api, "q", OPTIONS, "u") == {"cores": 30, "ram": 100}
    assert quotas.class_limits(api, OPTIONS, "other") == {"cores": 1, "ram": 100}


def test_setting_again_changes(api: Connection) -> None:
    for limit in (1, 2):
        quotas.set_limits(api, "p", {"cores": limit})
        quotas.set_class_limits(api, "default", {"ram": limit})
    assert quotas.limits(api, "p", OPTIONS) == {"cores": 2, "ram": 2}


def test_a_projects_limits_go_with_its_users(api: Connection) -> None:
    for project in ("p", "q"):
        quotas.set_limits(api, project, {"cores": 1})
        quotas.set_limits(api, project, {"cores": 1}, "u")
    quotas.delete_limits(api, "p", "u")
    assert quotas.limits(api, "p", OPTIONS, "u")["cores"] == 1
    quotas.set_limits(api, "p", {"cores": 1}, "u")
    quotas.delete_limits(api, "p")
    assert quotas.limits(api, "p", OPTIONS, "u")["cores"] == 20
    assert quotas.limits(api, "q", OPTIONS, "u")["cores"] == 1


def test_usage_of_a_user_counts_living_servers(api: Connection) -> None:
    shared = {"cell_id": 1, "cores": 2, "ram": 5, "created_at": "now", "confirmed": True}
    api.exec_driver_sql("INSERT INTO cells (id, uuid, disabled) VALUES (1, 'c', 0)")
    rows = [("a", "p", "u", True), ("b", "p", "u", True), ("c", "p", "u", False), ("d", "p", "v", True)]
    server_mappings.add(
        api, [{**shared, "uuid": a, "project_id": b, "user_id": c, "counted": d} for a, b, c, d in rows]
    )
    assert quotas.user_usage(api, "p", "u") == {"instances": 2, "cores": 4, "ram": 10}
    assert quotas.user_usage(api, "q", "u") == {"instances": 0, "cores": 0, "ram": 0}
