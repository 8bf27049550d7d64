"""Shares of servers."""

from typing import Any

from tests.contract.store.conftest import Databases
from tests.contract.store.samples import LATER, NOW, add_servers, server

from kilonova.store import shares


def share(server_uuid: str, share_id: str) -> dict[str, Any]:
    return {
        "uuid": f"{server_uuid}-{share_id}",
        "server_uuid": server_uuid,
        "share_id": share_id,
        "status": "attaching",
        "tag": "Tag",
        "export_location": "192.0.2.50:/ä",
        "protocol": "NFS",
        "created_at": NOW,
        "updated_at": NOW,
    }


def test_they_come_change_and_go(databases: Databases) -> None:
    with databases.cell.write() as connection:
        add_servers(connection, server("s", host="h1"), server("t", host="h1"), server("u", host="h2"))
        wanted = [share("s", "a"), share("s", "b"), share("t", "a"), share("u", "b")]
        for values in wanted:
            shares.insert(connection, values)
        shares.set_status(connection, "s", "a", "inactive", LATER)

        found = [{name: row[name] for name in row if name != "id"} for row in shares.of_server(connection, "s")]
        assert found == [{**wanted[0], "status": "inactive", "updated_at": LATER}, wanted[1]]
        assert shares.used_by_others(connection, "a", "h1", "s")
        assert not shares.used_by_others(connection, "b", "h1", "s")
        for _time in range(2):
            shares.remove(connection, "t", "a")
        assert not shares.used_by_others(connection, "a", "h1", "s")
        assert [row["share_id"] for row in shares.of_server(connection, "s")] == ["a", "b"]
