"""Writes ``docs/coverage.md``: which routes of the reference release are served, from the routing tables themselves.

``tests/golden/*-routes.tsv`` hold the reference's routes; a route counts as served when an endpoint has its method,
path and action at the first and last microversion of its row. ``--check`` only says whether the page is current.
"""

import csv
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kilonova.api.app import endpoints
from kilonova.kit.http.endpoint import Endpoint
from kilonova.placement.api.app import ENDPOINTS

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "coverage.md"
_REWRITTEN = {"/.versions": "/"}
"""Paths of the routing table that callers reach by another one."""
_PARAMETER = re.compile(r"\{[^}]*\}")
_NEWEST = {"compute": (2, 104), "placement": (1, 39)}
_OLDEST = {"compute": (2, 1), "placement": (1, 0)}


@dataclass(frozen=True)
class Route:
    """One row of the reference."""

    group: str
    method: str
    path: str
    action: str
    since: tuple[int, int]
    until: tuple[int, int]

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it the same as an endpoint: names of path parameters do not matter."""
        return _key(self.method, self.path, self.action)


def _key(method: str, path: str, action: str | None) -> tuple[str, str, str]:
    return method, _PARAMETER.sub("{}", _REWRITTEN.get(path, path)).rstrip("/"), action or ""


def _version(text: str, fallback: tuple[int, int]) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else fallback


def routes(service: str) -> list[Route]:
    """The reference's routes of ``compute`` or ``placement``."""
    with (ROOT / "tests" / "golden" / f"{service}-routes.tsv").open(newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [
        Route(
            row.get("group") or row["path"].split("/")[1] or "root",
            row["method"],
            row["path"],
            row.get("action") or "",
            _version(row["min_microversion"], _OLDEST[service]),
            _version(row["max_microversion"], _NEWEST[service]),
        )
        for row in rows
    ]


def served(wanted: Iterable[Route], table: Sequence[Endpoint]) -> list[tuple[Route, bool]]:
    """Each route, and whether the table has it at both ends of its versions."""
    by_key: dict[tuple[str, str, str], list[Endpoint]] = {}
    for endpoint in table:
        by_key.setdefault(_key(endpoint.method, endpoint.path, endpoint.action), []).append(endpoint)

    def there(route: Route) -> bool:
        found = by_key.get(route.key, [])
        return all(any(e.lives(version) for e in found) for version in (route.since, route.until))

    return [(route, there(route)) for route in wanted]


def page() -> str:
    """The page's text."""
    lines = [
        "# Coverage of the APIs",
        "",
        "Written by `tools/coverage.py` from the routing tables; a row is a route or a server action of the reference",
        "release. *Served* means that it answers at every microversion of its row, not that each detail is the same.",
        "",
    ]
    for service, table in (("compute", endpoints()), ("placement", ENDPOINTS)):
        lines += _section(service, served(routes(service), table))
    return "\n".join(lines).rstrip() + "\n"


def _section(service: str, rows: Sequence[tuple[Route, bool]]) -> list[str]:
    have = sum(there for _route, there in rows)
    lines = [
        f"## {service.capitalize()}: {have} of {len(rows)}",
        "",
        "| group | served | missing |",
        "| --- | --- | --- |",
    ]
    for group in dict.fromkeys(route.group for route, _there in rows):
        mine = [(route, there) for route, there in rows if route.group == group]
        missing = [_name(route) for route, there in mine if not there]
        count = len(mine) - len(missing)
        lines.append(f"| {group} | {count} of {len(mine)} | {', '.join(missing)} |")
    return [*lines, ""]


def _name(route: Route) -> str:
    return f"`{route.action}`" if route.action else f"`{route.method} {route.path}`"


def main(arguments: Sequence[str]) -> int:
    """Write or check; 1 when the page was not current."""
    text = page()
    current = PAGE.read_text() if PAGE.exists() else ""
    if "--check" in arguments:
        if text != current:
            print("docs/coverage.md is out of date: run tools/coverage.py", file=sys.stderr)
        return int(text != current)
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
