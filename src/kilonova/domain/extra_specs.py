"""Extra specs of flavors: which names there are and what their values may be (checked from microversion 2.86).

The table ``extra_specs.tsv`` has a name and the form of its values. Names in namespaces that are not in the table, and
names without a namespace, are nobody's business: operators and vendors may use them as they like.
"""

import csv
import functools
import re
from collections.abc import Callable
from importlib import resources

from kilonova.kit.errors import Invalid

Check = Callable[[str], str | None]
"""Says what is wrong with a value, or None."""
_WORDS = frozenset(("1", "t", "true", "on", "y", "yes", "0", "f", "false", "off", "n", "no"))
_HOLES = {
    "{num}": r"[0-9]+",
    "{key}": r".+",
    "{group}": r"(?:[a-zA-Z0-9_-]{1,64})?",
    "{filter}": r"(?::.+)?",
    "CLASS": r"[A-Z0-9_]+",
    "TRAIT": r"[A-Z0-9_]+",
}
_ANY = ("str", "architecture")
_PAGE_SIZE = re.compile(r"large|small|any|[0-9]+ ?([kKMGT]i?[bB]?)?")


class InvalidExtraSpec(Invalid):
    """The name is not known in its namespace, or the value does not fit it."""

    template = "Validation failed; extra spec '{key}' {reason}"


def check(key: str, value: str) -> None:
    """Raises InvalidExtraSpec."""
    namespace = key.partition(":")[0] if ":" in key else None
    for known, values in _patterns():
        if known.fullmatch(key):
            problem = values(value)
            if problem:
                raise InvalidExtraSpec(key=key, reason=f"has value {value!r}, which {problem}")
            return
    if namespace is not None and _known_namespace(namespace):
        raise InvalidExtraSpec(key=key, reason="does not appear to be a valid extra spec")


@functools.cache
def _table() -> tuple[tuple[str, str], ...]:
    text = resources.files("kilonova.domain").joinpath("extra_specs.tsv").read_text()
    rows = csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    return tuple((row["name"], row["values"]) for row in rows)


@functools.cache
def _patterns() -> tuple[tuple[re.Pattern[str], Check], ...]:
    return tuple((pattern(name), form(words)) for name, words in _table())


@functools.cache
def _namespaces() -> tuple[re.Pattern[str], ...]:
    names = {name.partition(":")[0] for name, _words in _table() if ":" in name}
    return tuple(pattern(name) for name in sorted(names))


def _known_namespace(namespace: str) -> bool:
    return any(known.fullmatch(namespace) for known in _namespaces())


def pattern(name: str) -> re.Pattern[str]:
    """Matches the names that a name in a table stands for."""
    parts = re.split(r"(\{num\}|\{key\}|\{group\}|\{filter\}|CLASS|TRAIT)", name)
    return re.compile("".join(_HOLES.get(part, re.escape(part)) for part in parts))


def form(words: str) -> Check:
    """The check that a form in a table means."""
    if words in _ANY:
        return lambda _value: None
    if words == "bool":
        return lambda value: None if value.strip().lower() in _WORDS else "is not a boolean"
    if words == "page_size":
        return lambda value: None if _PAGE_SIZE.fullmatch(value) else "is no page size"
    if words.startswith("int"):
        least = int(words.partition(">=")[2]) if ">=" in words else None
        return lambda value: _number(value, least)
    choices = words.split("|")
    return lambda value: None if value in choices else f"is none of {choices}"


def _number(value: str, least: int | None) -> str | None:
    try:
        number = int(value)
    except ValueError:
        return "is not an integer"
    return f"is less than {least}" if least is not None and number < least else None
