"""What flavor and image ask of placement: amounts, traits, granular groups."""

import re
from collections.abc import Mapping
from typing import Any

from kilonova.scheduling.errors import BadExtraSpec
from kilonova.scheduling.prefilters.query import CandidateQuery
from kilonova.scheduling.request import ServerRequest

_KEY = re.compile(r"(resources|trait)([A-Za-z0-9_-]{0,64}):([A-Z0-9_]+)")
_POLICIES = ("isolate", "none")


def add_flavor_amounts(query: CandidateQuery, request: ServerRequest) -> None:
    """vCPUs, memory and disk; amounts of zero are not asked for."""
    query.main.resources.update(VCPU=request.flavor.vcpus, MEMORY_MB=request.flavor.memory_mb, DISK_GB=request.disk_gb)


def add_extra_specs(query: CandidateQuery, extra_specs: Mapping[str, str]) -> None:
    """``resources{group}:CLASS``, ``trait{group}:TRAIT`` and ``group_policy``; an amount of 0 drops a class.

    Raises BadExtraSpec.
    """
    for key, value in extra_specs.items():
        found = _KEY.fullmatch(key)
        if found is None:
            continue
        kind, suffix, name = found.groups()
        if kind == "resources":
            query.group(suffix).resources[name] = _amount(key, value)
        else:
            _add_trait(query, suffix, name, (key, value))
    policy = extra_specs.get("group_policy")
    if policy is not None and policy not in _POLICIES:
        raise BadExtraSpec(value=policy, key="group_policy", reason="isolate or none")
    query.group_policy = policy


def add_image_traits(query: CandidateQuery, properties: Mapping[str, Any]) -> None:
    """Image properties ``trait:TRAIT=required`` and ``traits_required``. Raises BadExtraSpec."""
    for trait in properties.get("traits_required") or ():
        query.main.require(trait)
    for key, value in properties.items():
        kind, _, trait = key.partition(":")
        if kind != "trait" or not trait:
            continue
        if value != "required":
            raise BadExtraSpec(value=value, key=key, reason="an image may only say required")
        query.main.require(trait)


def _amount(key: str, value: str) -> int:
    if not value.isdecimal():
        raise BadExtraSpec(value=value, key=key, reason="not a whole number of at least 0")
    return int(value)


def _add_trait(query: CandidateQuery, suffix: str, trait: str, spec: tuple[str, str]) -> None:
    key, value = spec
    if value == "required":
        query.group(suffix).require(trait)
    elif value == "forbidden":
        query.group(suffix).forbid(trait)
    else:
        raise BadExtraSpec(value=value, key=key, reason="required or forbidden")
