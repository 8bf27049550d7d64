"""JsonFilter: a boolean expression over the host's attributes, given as a hint."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, ClassVar

from kilonova.kit.codec import loads
from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.errors import BadHint
from kilonova.scheduling.filters.contract import HostFilter
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest

_HINT = "query"


class JsonFilter(HostFilter):
    """The hint ``query`` is JSON such as ``["and", [">=", "$free_ram_mb", 1024], ["=", "$zone", "west"]]``."""

    name: ClassVar[str] = "JsonFilter"
    user_words: ClassVar[str] = "does not satisfy the query hint"

    def applies(self, request: ServerRequest, context: SelectionContext) -> bool:
        return bool(request.hint(_HINT)) and bool(_parsed(request.hint(_HINT) or ""))

    def passes(self, host: HostState, request: ServerRequest, context: SelectionContext) -> bool:
        query = request.hint(_HINT)
        term = _parsed(query) if query else None
        try:
            return not term or bool(_value(term, host))
        except RecursionError as error:
            raise BadHint(hint=_HINT, reason="nested too deeply") from error

    def reason(self, host: HostState, request: ServerRequest, context: SelectionContext) -> str:
        return f"the hint query is not true for it: {request.hint(_HINT)}"


@lru_cache(maxsize=64)
def _parsed(query: str) -> Any:
    try:
        return loads(query)
    except ValueError as error:
        raise BadHint(hint=_HINT, reason=f"not JSON: {error}") from error


def _value(term: Any, host: HostState) -> Any:
    """A term's value: lists are operations, ``$name.key`` host attributes, anything else itself."""
    if isinstance(term, str) and term.startswith("$"):
        return _variable(term[1:], host)
    if not isinstance(term, list) or not term:
        return term
    name, *arguments = term
    operation = _OPERATIONS.get(name) if isinstance(name, str) else None
    if operation is None:
        raise BadHint(hint=_HINT, reason=f"unknown operator {name!r}")
    values = [_value(argument, host) for argument in arguments]
    if len(values) < (1 if name in _LOGIC else 2):
        raise BadHint(hint=_HINT, reason=f"operator {name!r} has too few arguments")
    try:
        return operation(values)
    except TypeError:  # an attribute the host lacks, or text against a number
        return False


def _variable(path: str, host: HostState) -> Any:
    first, *rest = path.split(".")
    value = host.attribute(first)
    for key in rest:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


_LOGIC = frozenset({"not", "or", "and"})
_OPERATIONS: dict[str, Callable[[list[Any]], bool]] = {
    "=": lambda v: all(v[0] == other for other in v[1:]),
    "<": lambda v: all(v[0] < other for other in v[1:]),
    ">": lambda v: all(v[0] > other for other in v[1:]),
    "<=": lambda v: all(v[0] <= other for other in v[1:]),
    ">=": lambda v: all(v[0] >= other for other in v[1:]),
    "in": lambda v: v[0] in v[1:],
    "not": lambda v: not any(v),
    "or": any,
    "and": all,
}
