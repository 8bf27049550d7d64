"""Properties of images: which names mean something here, and what their values may be (``image_properties.tsv``)."""

import csv
import functools
import re
from importlib import resources

from kilonova.domain.extra_specs import Check, form, pattern
from kilonova.kit.errors import Invalid


class UnknownImageProperty(Invalid):
    """No property of this name means anything to compute."""

    template = "Image property {name} is not known"


class BadImageProperty(Invalid):
    """The value does not fit the property."""

    template = "Image property {name} has value {value!r}, which {reason}"


def check(name: str, value: str) -> None:
    """Raises UnknownImageProperty, BadImageProperty."""
    for known, values in _patterns():
        if known.fullmatch(name):
            problem = values(value)
            if problem:
                raise BadImageProperty(name=name, value=value, reason=problem)
            return
    raise UnknownImageProperty(name=name)


@functools.cache
def _patterns() -> tuple[tuple[re.Pattern[str], Check], ...]:
    text = resources.files("kilonova.domain").joinpath("image_properties.tsv").read_text()
    rows = csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    return tuple((pattern(row["name"]), form(row["values"])) for row in rows)
