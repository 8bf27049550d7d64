"""Names of resource classes, traits and consumer types."""

import re

CUSTOM_PREFIX = "CUSTOM_"
SHARING_TRAIT = "MISC_SHARES_VIA_AGGREGATE"
"""A provider with this trait serves every tree that has a provider in one of its aggregates."""
NAME_FORM = "^[A-Z0-9_]+$"
CUSTOM_FORM = "^CUSTOM_[A-Z0-9_]+$"
MAX_NAME = 255
_CUSTOM = re.compile(r"CUSTOM_[A-Z0-9_]+")
_NAME = re.compile(r"[A-Z0-9_]+")


def is_custom(name: str) -> bool:
    """Does the name belong to an operator?"""
    return name.startswith(CUSTOM_PREFIX)


def is_custom_form(name: str) -> bool:
    """May an operator make a class or trait of this name?"""
    return len(name) <= MAX_NAME and _CUSTOM.fullmatch(name) is not None


def is_name_form(name: str) -> bool:
    """Could this be the name of any class or trait?"""
    return 0 < len(name) <= MAX_NAME and _NAME.fullmatch(name) is not None
