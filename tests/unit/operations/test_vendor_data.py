import logging
from pathlib import Path

import pytest

from kilonova.kit.options import BadConfiguration
from kilonova.operations.vendor_data import VendorDataOptions, load


def test_the_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "vendor.json"
    path.write_text('{"a": 1}')
    assert load(VendorDataOptions(vendordata_jsonfile_path=str(path))) == {"a": 1}
    assert load(VendorDataOptions(vendordata_providers=[], vendordata_jsonfile_path=str(path))) == {}
    assert load(VendorDataOptions()) == {}


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_a_bad_file_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "vendor.json"
    path.write_text(content)
    with pytest.raises(BadConfiguration, match=r"vendor\.json"):
        load(VendorDataOptions(vendordata_jsonfile_path=str(path)))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match="none"):
        load(VendorDataOptions(vendordata_jsonfile_path=str(tmp_path / "none")))


def test_other_providers_are_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        load(VendorDataOptions(vendordata_providers=["StaticJSON", "DynamicJSON"]))
    assert "DynamicJSON" in caplog.text
