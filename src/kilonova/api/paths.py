"""What comes before a resource in the path: version prefixes, project ids, and paths without a version.

``rewrite`` turns the WSGI path into the one that endpoints declare and leaves in the environment:
``kilonova.prefix`` (for links), ``kilonova.project`` (the path's project id) and ``kilonova.legacy`` (below ``/v2``).
Paths without a version go to ``/.versions`` and ``/.choices/…``, documents of versions to ``/.version/{id}``: names
that no request can reach by itself, because every path of a request is rewritten.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from kilonova.kit.context import Context
from kilonova.kit.errors import Invalid

LEGACY = "v2"
CURRENT = "v2.1"
OWN = "ext"
"""What is Kilonova's own lives below it, and needs no version in the path."""
VERSION_IDS = {LEGACY: "v2.0", CURRENT: "v2.1"}
_PROJECT = re.compile(r"[0-9a-f-]{1,64}")
_LOOSE_PROJECT = re.compile(r"[\w.-]{1,64}")


class ForeignProject(Invalid):
    """The project id in the path is not the token's (400)."""

    template = "Malformed request URL: the URL's project_id '{given}' does not match the token's project_id '{own}'"


class Paths:
    """Rewrites paths. ``roots`` are the first segments of all endpoints.

    ``loose``: project ids may be any words (noauth2, where users and projects are called what the token says).
    """

    def __init__(self, roots: Iterable[str], *, loose: bool) -> None:
        self._roots = frozenset(roots)
        self._form = _LOOSE_PROJECT if loose else _PROJECT

    def rewrite(self, environ: dict[str, Any]) -> None:
        """Change PATH_INFO; see the module's words."""
        path = environ.get("PATH_INFO", "")
        segments = [s for s in path.split("/") if s]
        if not segments:
            environ["PATH_INFO"] = "/.versions"
        elif segments[0] == OWN:
            environ["kilonova.prefix"] = f"/{CURRENT}"
        elif segments[0] not in VERSION_IDS:
            environ["PATH_INFO"] = "/.choices" + path
        elif len(segments) == 1:
            environ["PATH_INFO"] = f"/.version/{VERSION_IDS[segments[0]]}"
        elif path.endswith("/"):
            environ["PATH_INFO"] = "/.nothing"  # no route ends with a slash
        else:
            self._versioned(environ, segments)

    def _versioned(self, environ: dict[str, Any], segments: list[str]) -> None:
        version, rest = segments[0], segments[1:]
        prefix = f"/{version}"
        if len(rest) > 1 and self._is_project(rest):
            environ["kilonova.project"] = rest[0]
            prefix += f"/{rest[0]}"
            rest = rest[1:]
        environ["kilonova.prefix"] = prefix
        if version == LEGACY:
            environ["kilonova.legacy"] = True
        environ["PATH_INFO"] = "/" + "/".join(rest)

    def _is_project(self, rest: list[str]) -> bool:
        if rest[0] in self._roots:
            return False
        return self._form.fullmatch(rest[0]) is not None and (
            rest[1] in self._roots or _PROJECT.fullmatch(rest[0]) is not None
        )


def admit(environ: Mapping[str, Any], context: Context) -> None:
    """Raises ForeignProject."""
    given = environ.get("kilonova.project")
    if given is not None and given != context.project_id:
        raise ForeignProject(given=given, own=context.project_id)
