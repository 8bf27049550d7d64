"""Quotas: which resources are limited, the limits everyone starts with, and the words when one is passed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from kilonova.kit.errors import OverQuota
from kilonova.kit.options import opt

UNLIMITED = -1


@dataclass(frozen=True)
class QuotaOptions:
    """``[quota]``; -1 is no limit."""

    GROUP: ClassVar[str] = "quota"
    instances: int = opt(10, "servers per project", min=-1)
    cores: int = opt(20, "vCPUs per project", min=-1)
    ram: int = opt(51200, "memory MiB per project", min=-1)
    metadata_items: int = opt(128, "metadata items per server", min=-1)
    injected_files: int = opt(5, "injected files", min=-1)
    injected_file_content_bytes: int = opt(10240, "bytes per injected file", min=-1)
    injected_file_path_length: int = opt(255, "length of an injected file's path", min=-1)
    key_pairs: int = opt(100, "key pairs per user", min=-1)
    server_groups: int = opt(10, "server groups per project", min=-1)
    server_group_members: int = opt(10, "members per server group", min=-1)
    driver: str = opt("nova.quota.DbQuotaDriver", "database quota, no quota or unified limits driver")
    recheck_quota: bool = opt(True, "check again after creation")
    count_usage_from_placement: bool = opt(False, "count cores and memory in placement")
    unified_limits_resource_strategy: str = opt(
        "require", "whether listed resources must have limits, or may lack them", choices=["require", "ignore"]
    )
    unified_limits_resource_list: list[str] = opt(["servers"], "resources that the strategy applies to")

    @property
    def unlimited(self) -> bool:
        """Is the driver the one without quotas?"""
        return self.driver.rsplit(".", 1)[-1].startswith("Noop")

    @property
    def unified(self) -> bool:
        """Are the limits Keystone's (unified limits) rather than our database's?"""
        return self.driver.rsplit(".", 1)[-1].startswith("UnifiedLimits")

    def with_unified(self, found: Mapping[str, int]) -> "QuotaOptions":
        """With Keystone's limits (by its names) in place of these.

        A resource that has none there is unlimited or may not be used at all, as the resource strategy says.
        """
        required = self.unified_limits_resource_strategy == "require"
        listed = set(self.unified_limits_resource_list)
        missing = {name: 0 if (name in listed) is required else UNLIMITED for name in UNIFIED.values()}
        limits: dict[str, Any] = {
            _OPTION.get(ours, ours): found.get(name, missing[name]) for ours, name in UNIFIED.items()
        }
        return replace(self, **limits)

    def limits(self) -> dict[str, int]:
        """Resource → limit, by the API's names."""
        if self.unlimited:
            return dict.fromkeys(RESOURCES, UNLIMITED)
        return {name: getattr(self, _OPTION.get(name, name), UNLIMITED) for name in RESOURCES}


NETWORK = ("fixed_ips", "floating_ips", "security_groups", "security_group_rules")
"""The network service's to limit; old versions show what was set, which limits nothing."""
RESOURCES = (
    "instances",
    "cores",
    "ram",
    "metadata_items",
    "injected_files",
    "injected_file_content_bytes",
    "injected_file_path_bytes",
    "key_pairs",
    "server_groups",
    "server_group_members",
    *NETWORK,
)
"""By the API's names."""
UNIFIED: Mapping[str, str] = {
    "instances": "servers",
    "cores": "class:VCPU",
    "ram": "class:MEMORY_MB",
    "metadata_items": "server_metadata_items",
    "injected_files": "server_injected_files",
    "injected_file_content_bytes": "server_injected_file_content_bytes",
    "injected_file_path_bytes": "server_injected_file_path_bytes",
    "key_pairs": "server_key_pairs",
    "server_groups": "server_groups",
    "server_group_members": "server_group_members",
}
"""The names under which Keystone has limits of these resources."""
_OPTION = {"injected_file_path_bytes": "injected_file_path_length"}


class OverLimit(OverQuota):
    """A limit would be passed; the message names it (403)."""

    template = "Quota exceeded for {overs}: Requested {requested}, but already used {used} of {allowed} {overs}"

    @classmethod
    def of(cls, wanted: Mapping[str, int], used: Mapping[str, int], limits: Mapping[str, int]) -> "OverLimit":
        """Words about the resources of ``wanted`` that do not fit."""
        over = [name for name in wanted if 0 <= limits[name] < used[name] + wanted[name]] or [next(iter(wanted))]
        return cls(
            overs=", ".join(over),
            requested=", ".join(str(wanted[name]) for name in over),
            used=", ".join(str(used[name]) for name in over),
            allowed=", ".join(str(limits[name]) for name in over),
        )


class TooManyKeyPairs(OverLimit):
    """The user has as many key pairs as are allowed."""

    template = "Quota exceeded, too many key pairs: already used {used} of {allowed} key_pairs"


class TooManyServerGroups(OverLimit):
    """The project has as many server groups as are allowed."""

    template = "Quota exceeded, too many server groups: already used {used} of {allowed} server_groups"


class TooManyGroupMembers(OverLimit):
    """The server group is full."""

    template = "Quota exceeded, too many servers in group: already used {used} of {allowed} server_group_members"


_ERRORS: Mapping[str, type[OverLimit]] = {
    "key_pairs": TooManyKeyPairs,
    "server_groups": TooManyServerGroups,
    "server_group_members": TooManyGroupMembers,
}


def exceeds(limit: int, used: int, requested: int) -> bool:
    """Would ``requested`` more pass the limit?"""
    return limit != UNLIMITED and used + requested > limit


def demand(resource: str, limit: int, used: int, requested: int = 1) -> None:
    """Raises OverLimit, or its kind for the resource."""
    if exceeds(limit, used, requested):
        raise _ERRORS.get(resource, OverLimit)(overs=resource, allowed=limit, used=used, requested=requested)
