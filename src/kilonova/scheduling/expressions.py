"""Comparisons of extra specs with host facts: ``>= 4``, ``s== abc``, ``<in> x``, ``<or> a <or> b``, ``<all-in> a b``.

The operators are those ComputeCapabilitiesFilter and AggregateInstanceExtraSpecsFilter document.
"""

import operator
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

_NUMERIC: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.ge,  # a plain "=" has always meant "at least"
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
}
_TEXTUAL: dict[str, Callable[[Any, Any], bool]] = {
    "s==": operator.eq,
    "s!=": operator.ne,
    "s<": operator.lt,
    "s<=": operator.le,
    "s>": operator.gt,
    "s>=": operator.ge,
}
_OPERATOR = re.compile(r"\s*(<all-in>|<in>|<or>|s==|s!=|s<=|s>=|s<|s>|==|!=|>=|<=|=)\s*(.*)", re.DOTALL)


def satisfies(value: Any, requirement: str) -> bool:
    """Whether a host fact meets a requirement; without an operator both must be equal as text."""
    sign, operand = _parts(requirement)
    if not sign:
        return str(value) == requirement
    if sign in _NUMERIC:
        return _numbers(value, operand, _NUMERIC[sign])
    if sign in _TEXTUAL:
        return _TEXTUAL[sign](str(value), operand.strip())
    if sign == "<or>":
        return str(value) in (choice.strip() for choice in operand.split("<or>"))
    held = _held(value)
    if sign == "<in>":
        return operand.strip() in held
    return all(word in held for word in operand.split())


@lru_cache(maxsize=1024)
def _parts(requirement: str) -> tuple[str, str]:
    """Operator and operand; asked for every host, so remembered."""
    found = _OPERATOR.fullmatch(requirement)
    return (found[1], found[2]) if found is not None else ("", requirement)


def _numbers(value: Any, operand: str, compare: Callable[[Any, Any], bool]) -> bool:
    try:
        return compare(float(value), float(operand))
    except (TypeError, ValueError):
        return False


def _held(value: Any) -> str | list[str]:
    """A collection as its words, anything else as text to search in."""
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [str(part) for part in value]
    return str(value)
