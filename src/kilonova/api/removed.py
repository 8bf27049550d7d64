"""Routes that went with nova-network, cells v1 and the like: 410 at every version, for who has a token."""

import csv
from importlib import resources
from typing import Never

from kilonova.kit.errors import Gone
from kilonova.kit.http.endpoint import Call, Endpoint


def gone(_call: Call) -> Never:
    """Raises Gone, in the words that python-novaclient's own suite looks for."""
    raise Gone("This resource is no longer available. No forwarding address is given.")


def _endpoints() -> tuple[Endpoint, ...]:
    text = resources.files("kilonova.api").joinpath("removed.tsv").read_text()
    rows = csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    return tuple(
        Endpoint(
            method=row["method"],
            path=row["path"],
            action=row["action"] or None,
            handler=gone,
            summary="Removed",
        )
        for row in rows
    )


ENDPOINTS = _endpoints()
