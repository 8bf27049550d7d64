import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from falcon import testing

from kilonova.kit.clock import ManualClock
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.lab.identity import service as identity_service
from kilonova.lab.identity.api.collection import Identity
from kilonova.lab.identity.rules import LocalAuth
from kilonova.lab.identity.seed import USERS, seed
from kilonova.lab.identity.store.store import IdentityStore
from kilonova.lab.images import service as image_service

URLS = {"identity": "http://lab:5000/v3", "image": "http://lab:9292", "compute": "http://lab:8774/v2.1"}


def opened(path: Path) -> Database:
    return Database(DatabaseOptions(connection=f"sqlite:///{path}"))


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A seeded identity database, made once: six passwords take a while to hash."""
    path = tmp_path_factory.mktemp("identity") / "template.db"
    database = opened(path)
    seed(IdentityStore(database), {name: f"secret-{name}" for name in USERS}, URLS)
    database.dispose()
    return path


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def identity(template: Path, tmp_path: Path, clock: ManualClock) -> Iterator[Identity]:
    database = opened(Path(shutil.copy(template, tmp_path / "identity.db")))
    yield identity_service.open_identity(database, clock)
    database.dispose()


class Api:
    """One caller of one service. ``call`` gives the reply, the verbs give its JSON and check its status."""

    def __init__(self, application: Any, token: str | None) -> None:
        self._client = testing.TestClient(application)
        self.token = token

    def call(self, method: str, path: str, **options: Any) -> testing.Result:
        headers = {"X-Auth-Token": self.token} if self.token else {}
        headers.update(options.pop("headers", {}))
        return self._client.simulate_request(method, path, headers=headers, **options)

    def get(self, path: str, status: int = 200) -> Any:
        return self._json(self.call("GET", path), status)

    def post(self, path: str, body: Any = None, status: int = 201) -> Any:
        return self._json(self.call("POST", path, json=body), status)

    def put(self, path: str, body: Any = None, status: int = 204) -> Any:
        return self._json(self.call("PUT", path, json=body), status)

    def patch(self, path: str, body: Any, status: int = 200, media: str = "application/json") -> Any:
        return self._json(self.call("PATCH", path, body=json.dumps(body), headers={"Content-Type": media}), status)

    def delete(self, path: str, status: int = 204) -> Any:
        return self._json(self.call("DELETE", path), status)

    @staticmethod
    def _json(reply: testing.Result, status: int) -> Any:
        assert reply.status_code == status, reply.text
        return reply.json if reply.content and "json" in reply.headers.get("content-type", "") else reply.text


@pytest.fixture
def application(identity: Identity) -> Any:
    return identity_service.build(identity)


@pytest.fixture
def anonymous(application: Any) -> Api:
    return Api(application, None)


def login_body(user: str, password: str, project: str | None = None, **scope: Any) -> dict[str, Any]:
    home = {"domain": {"id": "default"}}
    section = {"user": {"name": user, "password": password, **home}}
    auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": section}}
    if project:
        scope["project"] = {"name": project, **home}
    return {"auth": {**auth, "scope": scope} if scope else auth}


Login = Callable[..., Api]


@pytest.fixture
def log_in(application: Any, anonymous: Api) -> Login:
    def log_in(user: str, project: str | None = None, password: str | None = None, **scope: Any) -> Api:
        body = login_body(user, password or f"secret-{user}", project, **scope)
        reply = anonymous.call("POST", "/v3/auth/tokens", json=body)
        assert reply.status_code == 201, reply.text
        return Api(application, reply.headers["x-subject-token"])

    return log_in


@pytest.fixture
def admin(log_in: Login) -> Api:
    return log_in("admin", "admin")


@pytest.fixture
def demo(log_in: Login) -> Api:
    return log_in("demo", "demo")


@pytest.fixture
def image_application(identity: Identity, tmp_path: Path, clock: ManualClock) -> Iterator[Any]:
    database = opened(tmp_path / "images.db")
    parts = image_service.open_images(database, tmp_path / "images", clock)
    yield image_service.build(parts, LocalAuth(identity.tokens))
    database.dispose()


@pytest.fixture
def admin_images(image_application: Any, admin: Api) -> Api:
    return Api(image_application, admin.token)


@pytest.fixture
def demo_images(image_application: Any, demo: Api) -> Api:
    return Api(image_application, demo.token)
