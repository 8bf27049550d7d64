from datetime import datetime
from typing import Any

import pytest
from tests.unit.databases import fresh

from kilonova.lab.images.store.images import ImageStore

START = datetime(2026, 1, 1)  # noqa: DTZ001  # naive UTC is the convention


@pytest.fixture
def store() -> ImageStore:
    return ImageStore(fresh(ImageStore))


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
