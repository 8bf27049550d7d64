from sqlalchemy.engine import Connection

from kilonova.store import server_passwords


def test_set_once_until_cleared(cell: Connection) -> None:
    assert server_passwords.get(cell, "s") == ""
    assert server_passwords.put(cell, "s", "one") is True
    assert server_passwords.put(cell, "s", "two") is False
    assert server_passwords.get(cell, "s") == "one"
    server_passwords.clear(cell, "s")
    assert server_passwords.put(cell, "s", "two") is True
