from typing import Any

import pytest
from tests.service.compute.fake_placement import FakePlacement
from tests.service.compute.harness import Api, add_host, add_server, add_service

from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.store import api_tables, cell_tables
from kilonova.store.cells import Cell

PATH = "/os-services"
NAMED = {"host": "h1", "binary": "nova-compute"}


@pytest.fixture(autouse=True)
def placement(api: Api) -> FakePlacement:
    add_host(api.compute.store, "h1")
    add_service(api.compute.store, "c1", "nova-scheduler")
    fake = FakePlacement()
    object.__setattr__(api.compute, "resources", fake)
    return fake


def one(api: Api, host: str = "h1", version: str = "2.53") -> dict[str, Any]:
    (found,) = api.get(f"{PATH}?host={host}", version)["services"]
    return dict(found)


def test_list_filters_by_host_and_binary(api: Api) -> None:
    assert [s["host"] for s in api.get(PATH)["services"]] == ["h1", "c1"]
    assert [s["host"] for s in api.get(f"{PATH}?binary=nova-scheduler")["services"]] == ["c1"]
    assert api.get(f"{PATH}?host=none")["services"] == []
    assert len(api.get(f"{PATH}?unknown=1", "2.74")["services"]) == 2
    api.get(f"{PATH}?unknown=1", "2.75", status=400)


def test_zones_of_compute_and_other_services(api: Api) -> None:
    assert (one(api)["zone"], one(api, "c1")["zone"]) == ("nova", "internal")
    api.post("/os-aggregates", {"aggregate": {"name": "a", "availability_zone": "paris"}})
    api.post("/os-aggregates/1/action", {"add_host": {"host": "h1"}})
    assert one(api)["zone"] == "paris"


def test_a_silent_service_is_down(api: Api) -> None:
    assert one(api)["state"] == "up"
    api.compute.clock.sleep(61)
    assert one(api)["state"] == "down"


def test_named_routes_until_2_52(api: Api) -> None:
    api.put(f"{PATH}/disable-log-reason", {**NAMED, "disabled_reason": "why"})
    assert (one(api)["status"], one(api)["disabled_reason"]) == ("disabled", "why")
    api.put(f"{PATH}/enable", NAMED)
    assert (one(api)["status"], one(api)["disabled_reason"]) == ("enabled", None)
    api.put(f"{PATH}/disable", NAMED)
    assert one(api)["status"] == "disabled"
    api.put(f"{PATH}/force-down", {**NAMED, "forced_down": True}, "2.10", status=404)
    api.put(f"{PATH}/force-down", {**NAMED, "forced_down": True}, "2.11")
    assert (one(api)["state"], one(api)["forced_down"]) == ("down", True)
    api.put(f"{PATH}/enable", NAMED, "2.53", status=404)
    api.put(f"{PATH}/enable", {**NAMED, "host": "none"}, status=404)
    api.put(f"{PATH}/enable", {"host": "h1"}, status=400)


def test_update_by_uuid_from_2_53(api: Api) -> None:
    path = f"{PATH}/{one(api)['id']}"
    found = api.put(path, {"status": "disabled", "disabled_reason": "why", "forced_down": True}, "2.53")["service"]
    assert (found["status"], found["disabled_reason"], found["state"]) == ("disabled", "why", "down")
    assert found == one(api)
    api.put(path, {"status": "enabled"}, "2.52", status=404)


@pytest.mark.parametrize(
    "body",
    [{}, {"status": "x"}, {"disabled_reason": "x"}, {"status": "enabled", "disabled_reason": "x"}, {"unknown": 1}],
)
def test_bad_updates(api: Api, body: dict[str, Any]) -> None:
    api.put(f"{PATH}/{one(api)['id']}", body, "2.53", status=400)
    assert one(api)["status"] == "enabled"


def test_only_compute_services_are_updated(api: Api) -> None:
    api.put(f"{PATH}/{one(api, 'c1')['id']}", {"status": "disabled"}, "2.53", status=400)
    api.put(f"{PATH}/nonsense", {"status": "disabled"}, "2.53", status=400)
    api.put(f"{PATH}/00000000-0000-0000-0000-00000000000f", {"status": "disabled"}, "2.53", status=404)


def test_disabling_marks_the_providers(api: Api, placement: FakePlacement) -> None:
    (node,) = [h["id"] for h in api.get("/os-hypervisors", "2.53")["hypervisors"]]
    api.put(f"{PATH}/disable", NAMED)
    assert placement.traits(node) == {"COMPUTE_STATUS_DISABLED"}
    api.put(f"{PATH}/{one(api)['id']}", {"status": "enabled"}, "2.53")
    assert placement.traits(node) == frozenset()


def test_placement_not_answering_does_not_stop_the_operator(api: Api, placement: FakePlacement) -> None:
    placement.broken = True
    api.put(f"{PATH}/disable", NAMED)
    assert one(api)["status"] == "disabled"


def test_delete_takes_nodes_mappings_and_providers_along(api: Api, placement: FakePlacement) -> None:
    (node,) = [h["id"] for h in api.get("/os-hypervisors", "2.53")["hypervisors"]]
    api.post("/os-aggregates", {"aggregate": {"name": "a"}})
    api.post("/os-aggregates/1/action", {"add_host": {"host": "h1"}})
    api.delete(f"{PATH}/{one(api)['id']}", "2.53")
    assert api.get("/os-hypervisors")["hypervisors"] == []
    assert api.get("/os-aggregates/1")["aggregate"]["hosts"] == []
    assert placement.deleted == [node]


def test_delete_refuses_while_there_are_servers(api: Api) -> None:
    add_server(api.compute.store, "h1")
    api.delete(f"{PATH}/{one(api)['id']}", "2.53", status=409)
    assert one(api)["state"] == "up"


def test_delete_by_number_until_2_52(api: Api) -> None:
    api.delete(f"{PATH}/{one(api, version='2.52')['id']}", "2.52")
    api.delete(f"{PATH}/77", "2.52", status=404)
    api.delete(f"{PATH}/nonsense", "2.52", status=400)
    api.delete(f"{PATH}/1", "2.53", status=400)


def test_a_number_in_two_cells_is_ambiguous(api: Api) -> None:
    with api.compute.store.cells[0].database.write() as connection:
        values = {"id": 1, "uuid": "x" * 36, "host": "c0", "binary": "nova-conductor", "created_at": "2026"}
        connection.execute(cell_tables.services.insert().values(**values))
    api.delete(f"{PATH}/1", "2.52", status=400)


def test_a_silent_cell_shows_as_unknown_from_2_69(api: Api) -> None:
    lost = Database(DatabaseOptions(connection="sqlite:////nonexistent/folder/cell.db"))
    store = api.compute.store
    store.cells = (*store.cells, Cell(2, "u", "lost", lost))
    with store.api.write() as connection:
        connection.execute(api_tables.host_mappings.insert().values(host="far", cell_id=2))
    assert [s["host"] for s in api.get(PATH, "2.68")["services"]] == ["h1", "c1"]
    unknown = {"binary": "nova-compute", "host": "far", "status": "UNKNOWN"}
    assert api.get(PATH, "2.69")["services"][-1] == unknown
    object.__setattr__(api.compute.api, "list_records_by_skipping_down_cells", False)
    api.get(PATH, "2.68", status=503)


def test_only_admins(api: Api) -> None:
    member = api.member()
    member.get(PATH, status=403)
    member.put(f"{PATH}/disable", NAMED, status=403)
    member.delete(f"{PATH}/1", status=403)


def test_list_takes_one_statement_a_database(api: Api) -> None:
    for number in range(5):
        add_host(api.compute.store, f"more{number}")
    store = api.compute.store
    with store.api.statements.watch() as outer, store.working[0].database.statements.watch() as inner:
        api.get(PATH)
    assert (len(outer), len(inner)) == (1, 1)
