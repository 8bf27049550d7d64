"""What the vendor tells guests, from a file and from services: for config drives and the metadata service."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from kilonova.clients.vendordata.http import Targets, parsed
from kilonova.domain.guest_data import GuestDataOptions, full_hostname
from kilonova.kit import codec
from kilonova.kit.options import BadConfiguration, Configuration, opt
from kilonova.kit.sessions import EndpointOptions, Sessions

_AUTH = "vendordata_dynamic_auth"
Row = Mapping[str, Any]


@dataclass(frozen=True)
class VendorDataOptions:
    """``[api]``, as far as vendor data needs it."""

    GROUP: ClassVar[str] = "api"
    vendordata_providers: list[str] = opt(["StaticJSON"], "StaticJSON (the file) and DynamicJSON (the targets)")
    vendordata_jsonfile_path: str | None = opt(None, "file with static vendor data, a JSON object")
    vendordata_dynamic_targets: list[str] = opt([], "name@url of services that are asked for each server")
    vendordata_dynamic_ssl_certfile: str | None = opt("", "CA bundle for their certificates")
    vendordata_dynamic_connect_timeout: int = opt(5, "seconds for a connection to them", min=3)
    vendordata_dynamic_read_timeout: int = opt(5, "seconds for an answer of theirs", min=0)
    vendordata_dynamic_failure_fatal: bool = opt(False, "fail what needs vendor data when a target fails")


def guest_options(configuration: Configuration, domain: str, sessions: Sessions | None = None) -> GuestDataOptions:
    """What guests are told beside their own facts. Raises BadConfiguration."""
    options = configuration.section(VendorDataOptions)
    unknown = set(options.vendordata_providers) - {"StaticJSON", "DynamicJSON"}
    if unknown:
        words = ", ".join(sorted(unknown))
        raise BadConfiguration(reason=f"[api] vendordata_providers: {words}; there are StaticJSON and DynamicJSON")
    urls = parsed(options.vendordata_dynamic_targets)
    static = load(options)
    if "DynamicJSON" not in options.vendordata_providers or not urls:
        return GuestDataOptions(domain, static)
    return GuestDataOptions(domain, static, _asking(options, urls, domain, sessions or Sessions(configuration)))


def _asking(
    options: VendorDataOptions, urls: Mapping[str, str], domain: str, sessions: Sessions
) -> Callable[[Row], dict[str, Any]]:
    credentials = sessions.credentials(_AUTH, ())
    targets = Targets(
        urls=urls,
        session=sessions.session(EndpointOptions(cafile=options.vendordata_dynamic_ssl_certfile or None)),
        auth=credentials.plugin if credentials else None,
        timeout=(options.vendordata_dynamic_connect_timeout, options.vendordata_dynamic_read_timeout or 5),
        fatal=options.vendordata_dynamic_failure_fatal,
    )
    return lambda row: targets(_facts(row, domain))


def _facts(row: Row, domain: str) -> dict[str, Any]:
    """What a target is told of a server."""
    return {
        "project-id": row["project_id"],
        "instance-id": row["uuid"],
        "image-id": row["image_ref"] or None,
        "user-data": row["user_data"],
        "hostname": full_hostname(row, domain),
        "metadata": codec.loads(row["metadata"]),
        "boot-roles": row["boot_roles"] or "",
    }


def load(options: VendorDataOptions) -> dict[str, Any]:
    """The file's object; empty without a file. Raises BadConfiguration when it cannot be read."""
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
