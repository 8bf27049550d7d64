"""Operations and their steps."""

from sqlalchemy.engine import Connection
from tests.contract.store.conftest import Databases
from tests.contract.store.samples import LATER, MUCH_LATER, NOW, add_operations, operation

from kilonova.kit.db.rows import Row
from kilonova.store import operations


def get(connection: Connection, ident: str) -> Row:
    found = operations.get(connection, ident)
    assert found is not None
    return found


def claimed(connection: Connection, ident: str, owner: str = "me") -> Row:
    assert operations.claim(connection, get(connection, ident), owner, NOW, LATER)
    return get(connection, ident)


def step(name: str = "spawn", **more: object) -> dict[str, object]:
    return {"operation_id": "o", "name": name, "started_at": NOW, **more}


def test_they_wait_for_their_turn_on_a_server(databases: Databases) -> None:
    with databases.cell.write() as connection:
        add_operations(connection, "o1", "o2")
        add_operations(connection, "x1", server_uuid="x")
        assert operations.get(connection, "none") is None
        assert [get(connection, i)["blocked"] for i in ("o1", "o2", "x1")] == [False, True, False]
        assert operations.due(connection, NOW) == ["o1", "x1"]
        assert operations.due(connection, NOW, limit=1) == ["o1"]
        assert operations.due_before(connection, get(connection, "o2"), NOW) == ["o1"]
        assert operations.waiting(connection, ["s", "x", "y"], "reboot") == {"s", "x"}
        claimed(connection, "o1")
        assert operations.waiting(connection, ["s"], "reboot") == {"s"}
        assert operations.due(connection, NOW) == ["x1"]
        assert operations.due(connection, MUCH_LATER) == ["o1", "x1"], "the lease ran out"


def test_leases(databases: Databases) -> None:
    with databases.cell.write() as connection:
        add_operations(connection, "o", "p")
        seen = get(connection, "o")
        claimed(connection, "o")
        assert not operations.claim(connection, seen, "other", MUCH_LATER, MUCH_LATER), "seen is stale"
        assert operations.renew(connection, "me", MUCH_LATER) == 1
        assert operations.renew(connection, "ME", LATER) == 0
        assert operations.prolong(connection, "o", "me", LATER)
        assert not operations.prolong(connection, "o", "other", MUCH_LATER)
        assert get(connection, "o")["lease_until"] == LATER
        standing = operations.standing(connection, "o")
        assert standing is not None
        assert (standing["owner"], standing["state"], bool(standing["cancel"])) == ("me", "running", False)
        assert not operations.requeue(connection, "o", "other", LATER, {"updated_at": LATER})
        assert operations.requeue(connection, "o", "me", LATER, {"updated_at": LATER})
        assert operations.due(connection, NOW) == []
        assert operations.due(connection, LATER) == ["o"]


def test_a_lone_conductor_takes_over_what_was_running(databases: Databases) -> None:
    with databases.cell.write() as connection:
        add_operations(connection, "o")
        add_operations(connection, "x", server_uuid="x")
        claimed(connection, "o")
        assert operations.orphan(connection, NOW) == 1
        assert operations.due(connection, LATER) == ["o", "x"]


def test_cancelling_wakes_what_waits_and_stops_what_runs(databases: Databases) -> None:
    with databases.cell.write() as connection:
        add_operations(connection, "o", "p")
        operations.insert(connection, [operation("d", verb="delete")])
        claimed(connection, "o")
        assert operations.cancel_earlier(connection, "s", LATER) == 2
        assert not get(connection, "d")["cancel"]
        assert not operations.finish(connection, "o", "me", LATER)
        assert not operations.add_step(connection, step(), "me")
        assert operations.requeue(connection, "o", "me", MUCH_LATER, {"updated_at": LATER})
        assert get(connection, "o")["lease_until"] is None, "one that is to stop does not wait"


def test_ends(databases: Databases) -> None:
    long = "words " * 30_000
    with databases.cell.write() as connection:
        add_operations(connection, "o", "p")
        claimed(connection, "o")
        assert not operations.end(connection, "o", "other", {"state": "failed"})
        assert operations.end(connection, "o", "me", {"state": "failed", "error": long, "finished_at": LATER})
        assert get(connection, "o")["error"] == long
        assert not operations.end(connection, "o", "me", {"state": "failed"}), "it has ended"
        claimed(connection, "p")
        assert operations.finish(connection, "p", "me", LATER)
        assert [o["id"] for o in operations.of_server(connection, "s")] == ["p", "o"]
        assert operations.of_server(connection, "s", hidden=["reboot"]) == []


def test_steps_are_recorded_for_their_owner_alone(databases: Databases) -> None:
    with databases.cell.write() as connection:
        add_operations(connection, "o")
        assert not operations.add_step(connection, step(), "me"), "not claimed yet"
        claimed(connection, "o")
        assert not operations.add_step(connection, step(), "other")
        assert operations.add_step(connection, step("one", host="h", result='{"𝄞":null}', finished_at=LATER), "me")
        assert operations.add_step(connection, step("two", error="x" * 70_000), "me")
        assert operations.add_step(connection, step("three"), "me")
        one, two, three = operations.steps_of(connection, ["o"])
        assert (one["name"], one["host"], one["result"], one["finished_at"]) == ("one", "h", '{"𝄞":null}', LATER)
        assert (two["name"], two["result"], two["error"]) == ("two", None, "x" * 70_000)
        assert not operations.end_step(connection, {**two, "finished_at": LATER}, "other")
        assert operations.end_step(connection, {**two, "finished_at": LATER, "result": "[]", "error": None}, "me")
        operations.fail_open_steps(connection, "o", MUCH_LATER, "why")
        one, two, three = operations.steps_of(connection, ["o"])
        assert [(s["finished_at"], s["error"]) for s in (one, two, three)] == [
            (LATER, None),
            (LATER, None),
            (MUCH_LATER, "why"),
        ]
        operations.purge(connection, ["s"])
        assert operations.steps_of(connection, ["o"]) == []
        assert operations.get(connection, "o") is None


def test_what_was_accepted_for_a_request_and_what_changed_lately(databases: Databases) -> None:
    with databases.cell.write() as connection:
        add_operations(connection, "o1", "o2")
        operations.insert(connection, [operation("x1", project_id="other", verb="refresh", request_id="r9")])
        assert [row["id"] for row in operations.of_request(connection, "r9")] == ["x1"]
        assert operations.of_request(connection, "none") == []
        assert [row["id"] for row in operations.changed(connection, NOW, None, ())] == ["o1", "o2", "x1"]
        assert [row["id"] for row in operations.changed(connection, NOW, None, ["refresh"])] == ["o1", "o2"]
        assert [row["id"] for row in operations.changed(connection, NOW, "other", ())] == ["x1"]
        assert operations.changed(connection, LATER, None, ()) == []


def test_steps_with_the_end_of_their_operation_and_commands_without_secrets(databases: Databases) -> None:
    with databases.cell.write() as connection:
        add_operations(connection, "o")
        operations.add_steps(connection, [step("a", finished_at=LATER), step("b", error="why")])
        assert [(row["name"], row["error"]) for row in operations.steps_of(connection, ["o"])] == [
            ("a", None),
            ("b", "why"),
        ]
        operations.replace_command(connection, "o", '{"kept":1}')
        assert get(connection, "o")["command"] == '{"kept":1}'
