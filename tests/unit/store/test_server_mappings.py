import pytest
from sqlalchemy.engine import Connection

from kilonova.store import server_mappings
from kilonova.store.api_tables import cells
from kilonova.store.server_mappings import Demand

LIMITS = {"instances": 3, "cores": 10, "ram": -1}


@pytest.fixture(autouse=True)
def one_cell(api: Connection) -> None:
    """What mappings point to."""
    api.execute(cells.insert().values(id=1, uuid="1", name="one", disabled=False))


def demand(instances: int = 1, cores: int = 1) -> Demand:
    return Demand("p", "u", {"instances": instances, "cores": cores, "ram": 64}, LIMITS)


def mapping(uuid: str, **more: object) -> dict[str, object]:
    base = {"uuid": uuid, "cell_id": 1, "project_id": "p", "user_id": "u", "cores": 2, "ram": 64, "created_at": "1"}
    return {**base, "counted": True, "confirmed": False, **more}


def test_up_to_the_limit_and_no_further(api: Connection) -> None:
    assert [server_mappings.reserve(api, demand()) for _ in range(4)] == [True, True, True, False]
    assert server_mappings.usage(api, "p") == {"instances": 3, "cores": 3, "ram": 192}
    assert server_mappings.usage(api, "other") == {"instances": 0, "cores": 0, "ram": 0}


def test_all_or_nothing(api: Connection) -> None:
    assert server_mappings.reserve(api, demand(1, 11)) is False
    assert server_mappings.usage(api, "p")["instances"] == 0


def test_given_back_once(api: Connection) -> None:
    server_mappings.reserve(api, demand(1, 2))
    server_mappings.add(api, [mapping("a")])
    for _ in range(2):
        server_mappings.release(api, "a")
    server_mappings.release(api, "none")
    assert server_mappings.usage(api, "p") == {"instances": 0, "cores": 0, "ram": 0}


def test_halfway_accepted_ones_are_found(api: Connection) -> None:
    server_mappings.add(api, [mapping("a"), mapping("b", created_at="9"), mapping("c")])
    assert {row["uuid"] for row in server_mappings.unconfirmed(api, "5")} == {"a", "c"}
    server_mappings.confirm(api, ["a"])
    assert [row["uuid"] for row in server_mappings.unconfirmed(api, "5")] == ["c"]
    server_mappings.forget(api, ["c"])
    assert server_mappings.unconfirmed(api, "5") == []
    server_mappings.confirm(api, [])
    server_mappings.forget(api, [])
