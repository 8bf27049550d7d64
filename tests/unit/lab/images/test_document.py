from datetime import datetime

import pytest

from kilonova.kit.errors import Invalid
from kilonova.lab.images.document import ReadOnly, Reserved, demand_settable, document


def test_properties_lie_beside_attributes_and_never_over_them() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678)  # noqa: DTZ001  # naive UTC is the convention
    row = {"id": "i", "name": "n", "created_at": moment, "updated_at": moment, "properties": {"a": "b", "name": "x"}}
    assert document(row) == {
        "id": "i",
        "name": "n",
        "a": "b",
        "created_at": "2026-01-02T03:04:05Z",
        "updated_at": "2026-01-02T03:04:05Z",
        "self": "/v2/images/i",
        "file": "/v2/images/i/file",
        "schema": "/v2/schemas/image",
    }


def test_names_that_clients_cannot_set() -> None:
    demand_settable("hw_machine_type")
    with pytest.raises(ReadOnly, match="'checksum' is read-only"):
        demand_settable("checksum")
    with pytest.raises(Reserved, match="'locations' is reserved"):
        demand_settable("locations")
    for name in ("", "x" * 256):
        with pytest.raises(Invalid):
            demand_settable(name)
