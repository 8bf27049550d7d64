from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from kilonova.api.servers import rendering, views
from kilonova.api.wiring import ApiOptions, ComputeOptions
from kilonova.kit import codec
from kilonova.kit.http.document import Document
from kilonova.kit.http.endpoint import Call
from kilonova.store.cell_tables import servers


def call(version: tuple[int, int] = (2, 100)) -> Call:
    app = SimpleNamespace(api=ApiOptions(), compute=ComputeOptions())
    made = SimpleNamespace(
        version=version,
        app=app,
        base_url="http://compute/v2.1",
        at_least=lambda minor: version[1] >= minor,
        allow=lambda rule, target: rule != "context_is_admin",
    )
    return cast("Call", made)


def whole(uuid: str, *, name: str = "web", revision: int = 1) -> dict[str, Any]:
    texts = {"metadata": "{}", "tags": "[]", "flavor": "{}", "flavor_id": "1", "addresses": "{}", "hints": "{}"}
    lists = {"volumes": "[]", "security_groups": '[{"name": "default"}]'}
    row: dict[str, Any] = {column.name: None for column in servers.columns}
    row |= {**texts, **lists, "uuid": uuid, "name": name, "revision": revision, "id": 1}
    return row | {"vm_state": "active", "created_at": "2026-01-01T00:00:00.000000", "progress": 0, "updated_at": None}


class Loader:
    def __init__(self, *rows: Mapping[str, Any]) -> None:
        self.rows = {row["uuid"]: row for row in rows}
        self.asked: list[list[str]] = []

    def __call__(self, uuids: Sequence[str]) -> list[Mapping[str, Any]]:
        self.asked.append(list(uuids))
        return [self.rows[uuid] for uuid in uuids if uuid in self.rows]


def narrow(*rows: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{name: row[name] for name in ("uuid", "revision", "host")} for row in rows]


def rendered(
    loader: Loader, rows: Sequence[Mapping[str, Any]], at: Call | None = None, shape: Document = views.DETAIL
) -> list[str]:
    made = rendering.Rendering(at or call(), shape, views.view_of(at or call(), {}), frozenset())
    return [codec.text([fragment]) for fragment in made.documents(rows, loader)]


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    rendering._KEPT.clear()


def test_what_is_at_hand_is_not_loaded_again() -> None:
    loader = Loader(whole("a"), whole("b"))
    first = rendered(loader, narrow(whole("a"), whole("b")))
    assert rendered(loader, narrow(whole("b"), whole("a"))) == first[::-1]
    assert loader.asked == [["a", "b"]]


def test_a_new_revision_is_rendered_anew() -> None:
    loader = Loader(whole("a", name="old"))
    rendered(loader, narrow(whole("a")))
    loader.rows["a"] = whole("a", name="new", revision=2)
    assert '"name":"new"' in rendered(loader, narrow(whole("a", revision=2)))[0]


def test_each_version_has_its_own_document() -> None:
    loader = Loader(whole("a"))
    assert '"locked"' in rendered(loader, narrow(whole("a")))[0]
    assert '"locked"' not in rendered(loader, narrow(whole("a")), call((2, 1)))[0]


def test_a_server_purged_in_between_is_left_out() -> None:
    loader = Loader(whole("a"))
    assert len(rendered(loader, narrow(whole("gone"), whole("a")))) == 1
