"""The API over a fake plumbing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from falcon.testing import TestClient

from kilonova.kit.auth import NoAuth
from kilonova.kit.clock import ManualClock
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.lab.networks.options import LabNetworkOptions
from kilonova.lab.networks.plumbing import FakePlumbing
from kilonova.lab.networks.seed import seed
from kilonova.lab.networks.service import LabNetworks, build


class Api:
    """Calls as a user (``admin`` by default); the token names user and project."""

    def __init__(self, client: TestClient, lab: LabNetworks, plumbing: FakePlumbing, seeded: dict[str, str]) -> None:
        self.client, self.lab, self.plumbing, self.seeded = client, lab, plumbing, seeded
        self.private, self.public = seeded["private"], seeded["public"]

    def call(self, method: str, path: str, body: Any = None, *, user: str = "admin:demo", status: int = 200) -> Any:
        headers = {"X-Auth-Token": user}
        reply = self.client.simulate_request(method, f"/v2.0{path}", json=body, headers=headers)
        assert reply.status_code == status, f"{reply.status} {reply.text}"
        return reply.json if reply.text else None

    def get(self, path: str, **more: Any) -> Any:
        return self.call("GET", path, **more)

    def make(self, kind: str, *, user: str = "admin:demo", status: int = 201, **body: Any) -> Any:
        answer = self.call("POST", f"/{kind.replace('_', '-')}s", {kind: body}, user=user, status=status)
        return answer[kind] if status == 201 else answer["NeutronError"]

    def change(self, kind: str, document_id: str, *, user: str = "admin:demo", status: int = 200, **body: Any) -> Any:
        path = f"/{kind.replace('_', '-')}s/{document_id}"
        answer = self.call("PUT", path, {kind: body}, user=user, status=status)
        return answer[kind] if status == 200 else answer["NeutronError"]

    def remove(self, kind: str, document_id: str, *, user: str = "admin:demo", status: int = 204) -> Any:
        answer = self.call("DELETE", f"/{kind.replace('_', '-')}s/{document_id}", user=user, status=status)
        return answer["NeutronError"] if status != 204 else None

    def subnet(self, cidr: str, **more: Any) -> Any:
        network = self.make("network", name=cidr)
        return self.make("subnet", network_id=network["id"], cidr=cidr, **more)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    database = Database(DatabaseOptions(connection=f"sqlite:///{tmp_path / 'lab.db'}"))
    plumbing = FakePlumbing()
    app = build(database, LabNetworkOptions(), NoAuth(), plumbing, ManualClock())
    lab: LabNetworks = app.service.app
    yield Api(TestClient(app), lab, plumbing, seed(lab, "demo"))
    database.dispose()
