import pytest
from sqlalchemy.engine import Connection

from kilonova.domain.aggregate import (
    AggregateHostExists,
    AggregateHostNotFound,
    AggregateNameExists,
    AggregateNotFound,
)
from kilonova.store import aggregates


def make(api: Connection, name: str, zone: str | None = None, *hosts: str) -> int:
    metadata = {"availability_zone": zone} if zone else {}
    ident = aggregates.create(api, {"uuid": f"uuid-{name}", "name": name, "created_at": "now"}, metadata)["id"]
    for host in hosts:
        aggregates.add_host(api, ident, host)
    return int(ident)


def test_rows_come_whole(api: Connection) -> None:
    ident = make(api, "a", "paris", "h2", "h1")
    found = aggregates.find(api, ident)
    assert (found["metadata"], found["hosts"]) == ({"availability_zone": "paris"}, ["h1", "h2"])
    make(api, "b")
    assert aggregates.page(api) == [found, {**aggregates.find(api, ident + 1), "hosts": []}]


def test_names_and_members_are_unique(api: Connection) -> None:
    first, second = make(api, "a", None, "h"), make(api, "b")
    with pytest.raises(AggregateNameExists):
        make(api, "a")
    with pytest.raises(AggregateNameExists):
        aggregates.update(api, second, {"name": "a"})
    with pytest.raises(AggregateHostExists):
        aggregates.add_host(api, first, "h")
    with pytest.raises(AggregateHostNotFound):
        aggregates.remove_host(api, second, "h")
    with pytest.raises(AggregateNotFound):
        aggregates.find(api, 77)


def test_zones_of_hosts(api: Connection) -> None:
    make(api, "plain", None, "h1", "h3")
    paris = make(api, "p", "paris", "h1")
    make(api, "r", "rome", "h2")
    assert aggregates.zones(api) == {"h1": "paris", "h2": "rome"}
    assert aggregates.zones_elsewhere(api, paris, ["h1", "h2", "h3"]) == {"h2": "rome"}


def test_a_forgotten_host_is_nowhere(api: Connection) -> None:
    ident = make(api, "a", "paris", "h1", "h2")
    aggregates.forget_host(api, "h1")
    assert aggregates.find(api, ident)["hosts"] == ["h2"]


def test_deleting_takes_members_along(api: Connection) -> None:
    aggregates.delete(api, make(api, "a", "paris", "h"))
    assert (aggregates.page(api), aggregates.zones(api)) == ([], {})
