"""What the vendor tells every guest, from a file: for config drives and the metadata service."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from kilonova.kit import codec
from kilonova.kit.options import BadConfiguration, opt

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class VendorDataOptions:
    """``[api]``, as far as vendor data needs it."""

    GROUP: ClassVar[str] = "api"
    vendordata_providers: list[str] = opt(["StaticJSON"], "providers of vendor data; StaticJSON reads the file")
    vendordata_jsonfile_path: str | None = opt(None, "file with static vendor data, a JSON object")


def load(options: VendorDataOptions) -> dict[str, Any]:
    """The file's object; empty without a file. Raises BadConfiguration when it cannot be read."""
    unknown = [name for name in options.vendordata_providers if name != "StaticJSON"]
    if unknown:
        LOG.warning("[api] vendordata_providers: %s not offered, only StaticJSON is", ", ".join(unknown))
    path = options.vendordata_jsonfile_path
    if not path or "StaticJSON" not in options.vendordata_providers:
        return {}
    try:
        found = codec.loads(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise BadConfiguration(reason=f"[api] vendordata_jsonfile_path = {path}: {error}") from error
    if not isinstance(found, dict):
        raise BadConfiguration(reason=f"[api] vendordata_jsonfile_path = {path}: not a JSON object")
    return found
