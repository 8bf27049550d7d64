from sqlalchemy.engine import Connection
from tests.unit.store.rows import NOW, operation

from kilonova.store import operations

LATER = "2026-01-01T00:01:00.000000"
MUCH_LATER = "2026-01-01T00:02:00.000000"


def claim(cell: Connection, ident: str, owner: str, now: str, until: str) -> bool:
    """Read it and take it."""
    seen = operations.get(cell, ident)
    assert seen is not None
    return operations.claim(cell, seen, owner, now, until)


def test_one_owner_at_a_time(cell: Connection) -> None:
    operations.insert(cell, [operation("a", "s")])
    assert claim(cell, "a", "me", NOW, LATER) is True
    assert claim(cell, "a", "you", NOW, LATER) is False
    assert claim(cell, "a", "you", MUCH_LATER, MUCH_LATER) is True  # the lease ran out
    assert operations.finish(cell, "a", "me", NOW) is False
    assert operations.finish(cell, "a", "you", NOW) is True
    assert operations.due(cell, MUCH_LATER) == []


def test_a_lease_can_be_prolonged(cell: Connection) -> None:
    operations.insert(cell, [operation("a", "s")])
    claim(cell, "a", "me", NOW, NOW)
    assert operations.renew(cell, "me", MUCH_LATER) == 1
    assert claim(cell, "a", "you", LATER, LATER) is False


def test_leases_of_the_dead_can_be_ended(cell: Connection) -> None:
    operations.insert(cell, [operation("a", "s"), operation("b", "t")])
    claim(cell, "a", "dead", NOW, MUCH_LATER)
    assert operations.orphan(cell, NOW) == 1
    assert operations.due(cell, LATER) == ["a", "b"]
    assert claim(cell, "a", "me", LATER, MUCH_LATER) is True


def test_operations_on_a_server_wait_for_one_another(cell: Connection) -> None:
    operations.insert(cell, [operation("a", "s"), operation("b", "s"), operation("c", "t")])
    blocked = {ident: bool((operations.get(cell, ident) or {})["blocked"]) for ident in "abc"}
    assert blocked == {"a": False, "b": True, "c": False}
    claim(cell, "a", "me", NOW, LATER)
    operations.end(cell, "a", "me", {"state": "failed"})
    assert not (operations.get(cell, "b") or {})["blocked"]
    assert operations.get(cell, "none") is None


def test_a_cancelled_one_takes_no_more_steps(cell: Connection) -> None:
    operations.insert(cell, [operation("a", "s", verb="create"), operation("b", "s", verb="delete")])
    claim(cell, "a", "me", NOW, LATER)
    step = {"operation_id": "a", "name": "ports", "started_at": NOW}
    assert operations.add_step(cell, {**step, "finished_at": NOW, "result": "{}"}, "me") is True
    assert operations.cancel_earlier(cell, "s", NOW) == 1  # the deletion itself is not
    assert operations.add_step(cell, {**step, "name": "host"}, "me") is False
    assert operations.finish(cell, "a", "me", NOW) is False
    assert operations.end(cell, "a", "me", {"state": "cancelled"}) is True
    assert [found["name"] for found in operations.steps_of(cell, ["a"])] == ["ports"]


def test_what_is_put_back_waits_for_its_time(cell: Connection) -> None:
    operations.insert(cell, [operation("a", "s")])
    claim(cell, "a", "me", NOW, LATER)
    assert operations.requeue(cell, "a", "me", LATER, {"error": "no answer"}) is True
    assert operations.due(cell, NOW) == []
    assert operations.due(cell, LATER) == ["a"]


def test_one_that_was_given_back_meanwhile_is_not_taken_by_an_old_look(cell: Connection) -> None:
    operations.insert(cell, [operation("a", "s")])
    seen = operations.get(cell, "a")
    assert seen is not None
    claim(cell, "a", "me", NOW, LATER)
    operations.requeue(cell, "a", "me", NOW, {})
    assert operations.claim(cell, seen, "you", NOW, LATER) is False
    assert claim(cell, "a", "you", NOW, LATER) is True


def test_steps_left_open_end_with_their_operation(cell: Connection) -> None:
    operations.insert(cell, [operation("a", "s")])
    claim(cell, "a", "me", NOW, LATER)
    operations.add_step(cell, {"operation_id": "a", "name": "host", "started_at": NOW}, "me")
    operations.fail_open_steps(cell, "a", LATER, "why")
    (found,) = operations.steps_of(cell, ["a"])
    assert (found["finished_at"], found["error"]) == (LATER, "why")


def test_what_a_server_went_through(cell: Connection) -> None:
    operations.insert(cell, [operation("a", "s"), operation("b", "s", verb="refresh_network"), operation("c", "t")])
    assert [found["id"] for found in operations.of_server(cell, "s")] == ["b", "a"]
    assert [found["id"] for found in operations.of_server(cell, "s", {"refresh_network"})] == ["a"]
    assert operations.waiting(cell, ["s", "t"], "refresh_network") == {"s"}
    claim(cell, "b", "me", NOW, LATER)
    assert operations.waiting(cell, ["s", "t"], "refresh_network") == set()
    operations.purge(cell, ["s"])
    assert operations.of_server(cell, "s") == []
    assert len(operations.of_server(cell, "t")) == 1
