"""A database behind TLS, as the query of its URL says."""

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.authority import Authority
from tests.contract.store.private_servers import PrivateServer

from kilonova.kit.db.engine import Database, DatabaseOptions, DatabaseUnavailable

pytestmark = pytest.mark.system


def cipher(url: str) -> str:
    database = Database(DatabaseOptions(connection=url))
    try:
        with database.read() as connection:
            return str(connection.execute(sa.text("SHOW STATUS LIKE 'Ssl_cipher'")).one()[1])
    finally:
        database.dispose()


def test_mariadb_is_reached_by_tls_and_has_to_prove_itself(
    servers: Callable[[str], PrivateServer], tmp_path: Path
) -> None:
    server = servers("mariadb")
    url = server.url("")
    assert cipher(f"{url}?ssl_ca={server.folder}/tls/ca-cert.pem").startswith("TLS_")
    with pytest.raises(DatabaseUnavailable, match="certificate verify failed"):
        cipher(f"{url}?ssl_ca={Authority(tmp_path).ca}")
