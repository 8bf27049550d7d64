from typing import Any

from sqlalchemy.engine import Connection

from kilonova.store import console_tokens


def token(ident: str, expires: str) -> dict[str, Any]:
    return {"token_hash": ident, "server_uuid": "s", "kind": "novnc", "host": "h", "port": 5900, "expires_at": expires}


def test_valid_until_it_expires(cell: Connection) -> None:
    console_tokens.add(cell, token("a", "5"), "1")
    assert (console_tokens.find(cell, "a", "4") or {})["port"] == 5900
    assert console_tokens.find(cell, "a", "6") is None
    assert console_tokens.find(cell, "b", "4") is None


def test_a_new_one_sweeps_the_expired(cell: Connection) -> None:
    console_tokens.add(cell, token("a", "5"), "1")
    console_tokens.add(cell, token("b", "9"), "6")
    assert console_tokens.find(cell, "a", "0") is None


def test_gone_with_their_server(cell: Connection) -> None:
    console_tokens.add(cell, token("a", "5"), "1")
    console_tokens.forget(cell, "s")
    assert console_tokens.find(cell, "a", "1") is None
