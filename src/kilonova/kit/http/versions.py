"""Microversions: numbers, negotiation by header, the headers of each reply."""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass

from kilonova.kit.errors import Invalid, KilonovaError

Version = tuple[int, int]
_FORM = re.compile(r"([1-9]\d*)\.([1-9]\d*|0)")


class BadVersion(Invalid):
    """The version header is not ``X.Y`` or ``latest`` (400)."""

    template = "API Version String {value} is of invalid format. Must be of format MajorNum.MinorNum."


class VersionNotOffered(KilonovaError):
    """The service lacks the version (406)."""

    template = "Version {value} is not supported by the API. Minimum is {low} and maximum is {high}."


@functools.lru_cache(maxsize=512)
def parse(value: str) -> Version:
    """``"2.60"`` → ``(2, 60)``. Raises BadVersion."""
    match = _FORM.fullmatch(value)
    if match is None:
        raise BadVersion(value=value)
    return int(match[1]), int(match[2])


def show(version: Version) -> str:
    """``(2, 60)`` → ``"2.60"``."""
    return f"{version[0]}.{version[1]}"


@dataclass(frozen=True)
class Versioning:
    """How one service negotiates (API SIG guideline on microversions).

    ``service`` is the word before the number in OpenStack-API-Version; ``legacy_header`` an older header with the
    bare number. A missing header means ``minimum``.
    """

    service: str
    minimum: Version
    maximum: Version
    legacy_header: str | None = None

    def negotiate(self, headers: Mapping[str, str]) -> Version:
        """The version a request asks for. Raises BadVersion (400), VersionNotOffered (406)."""
        wanted = self._wanted(headers)
        if wanted is None:
            return self.minimum
        if wanted == "latest":
            return self.maximum
        version = parse(wanted)
        if not self.minimum <= version <= self.maximum:
            raise VersionNotOffered(
                value=wanted, low=show(self.minimum), high=show(self.maximum), minimum=show(self.minimum)
            )
        return version

    def _wanted(self, headers: Mapping[str, str]) -> str | None:
        value = headers.get("OPENSTACK-API-VERSION")
        if value:
            for part in value.split(","):
                name, _, number = part.strip().partition(" ")
                if name.lower() == self.service:
                    return number.strip()
        if self.legacy_header:
            return (headers.get(self.legacy_header.upper()) or "").strip() or None
        return None

    def reply_headers(self, version: Version) -> list[tuple[str, str]]:
        """What each reply carries: both headers and what it varies on."""
        found = [("OpenStack-API-Version", f"{self.service} {show(version)}")]
        vary = "OpenStack-API-Version"
        if self.legacy_header:
            found.append((self.legacy_header, show(version)))
            vary += f", {self.legacy_header}"
        return [*found, ("Vary", vary)]
