import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.lab.images.store.images import ImageStore

START = datetime(2026, 1, 1)  # noqa: DTZ001  # naive UTC is the convention


def opened(path: Path) -> Database:
    return Database(DatabaseOptions(connection=f"sqlite:///{path}"))


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once, because making tables takes longer than most tests."""
    path = tmp_path_factory.mktemp("images") / "template.db"
    database = opened(path)
    ImageStore(database)
    database.dispose()
    return path


@pytest.fixture
def store(template: Path, tmp_path: Path) -> Iterator[ImageStore]:
    database = opened(Path(shutil.copy(template, tmp_path / "images.db")))
    yield ImageStore(database)
    database.dispose()


class Shelf:
    """Puts images into the store with a word each."""

    def __init__(self, store: ImageStore) -> None:
        self.store = store

    def put(self, key: str, tags: tuple[str, ...] = (), **values: Any) -> None:
        row: dict[str, Any] = {"id": key, "status": "active", "visibility": "private", "owner": "me", "properties": {}}
        row.update({"created_at": START, "updated_at": START, **values})
        self.store.add(row, tags)


@pytest.fixture
def shelf(store: ImageStore) -> Shelf:
    return Shelf(store)
