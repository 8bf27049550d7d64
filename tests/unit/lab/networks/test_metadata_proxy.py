import io
from collections.abc import Iterator
from typing import Any

import pytest

from kilonova.kit.clock import ManualClock
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.lab.networks.metadata_proxy import MetadataProxy, _given, _path, signature
from kilonova.lab.networks.options import LabNetworkOptions
from kilonova.lab.networks.store.documents import Documents, NetworkStore


@pytest.fixture
def store() -> Iterator[NetworkStore]:
    database = Database(DatabaseOptions(connection="sqlite://"))
    yield NetworkStore(database, ManualClock())
    database.dispose()


def _ask(store: NetworkStore, sender: str) -> str:
    said: list[str] = []

    def start(status: str, headers: list[tuple[str, str]]) -> None:
        del headers
        said.append(status)

    # Port 9 of the loopback: nobody answers there.
    proxy = MetadataProxy(store, LabNetworkOptions(metadata_url="http://127.0.0.1:9"))
    environ = {"REMOTE_ADDR": sender, "REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.input": io.BytesIO()}
    list(proxy(environ, start))
    return said[0]


def _add(docs: Documents, address: str, **port: Any) -> None:
    port_id = f"port-of-{address}"
    docs.insert("port", {"id": port_id, "project_id": "p", "network_id": "n", "device_owner": "compute:nova", **port})
    docs.claim_address("s", address, port_id)


def test_the_signature_is_hmac_sha256() -> None:
    assert signature("secret", "id") == "0da5b4052abdeb0bbd119978c49479893059d51a19522a70e4672259a6d720b5"


def test_strangers_and_the_lab_s_own_ports_get_404(store: NetworkStore) -> None:
    store.transact(lambda docs: _add(docs, "10.0.0.2", device_id="dhcp", device_owner="network:dhcp"))
    store.transact(lambda docs: _add(docs, "10.0.0.3", device_id=""))
    for sender in ("10.0.0.2", "10.0.0.3", "10.0.0.4", ""):
        assert _ask(store, sender).startswith("404"), sender


def test_a_metadata_service_that_is_down_is_503(store: NetworkStore) -> None:
    store.transact(lambda docs: _add(docs, "10.0.0.5", device_id="server"))
    assert _ask(store, "10.0.0.5").startswith("503")


def test_what_the_guest_says_about_itself_is_dropped() -> None:
    environ = {
        "HTTP_X_INSTANCE_ID": "other",
        "HTTP_X_INSTANCE_ID_SIGNATURE": "forged",
        "HTTP_X_FORWARDED_FOR": "10.0.0.9",
        "HTTP_X_TENANT_ID": "other",
        "HTTP_X_AWS_EC2_METADATA_TOKEN": "t",
        "HTTP_HOST": "169.254.169.254",
    }
    assert _given(environ) == {"X-Aws-Ec2-Metadata-Token": "t"}


def test_the_path_keeps_its_query() -> None:
    assert _path({"PATH_INFO": "/a", "QUERY_STRING": "b=1"}) == "/a?b=1"
    assert _path({"REQUEST_URI": "/a%20b?c=1", "QUERY_STRING": "c=1"}) == "/a%20b?c=1"
    assert _path({}) == "/"
