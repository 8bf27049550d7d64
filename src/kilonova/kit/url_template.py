"""URLs with holes that another URL fills: one mapping then serves hosts that reach the same thing by other names."""

import re
from urllib.parse import urlsplit

from kilonova.kit.errors import Invalid

_HOLE = re.compile(r"\{(\w+)\}")


class BadTemplate(Invalid):
    """A hole that the configured URL cannot fill."""

    template = "URL {url} has {{{hole}}}, which the configured URL does not fill"


def fill(template: str, url: str | None) -> str:
    """``{scheme} {username} {password} {hostname} {port} {path} {query} {fragment}`` as ``url`` has them.

    Of a URL with several hosts (``rabbit://a@x,b@y/``) the second is ``{hostname2}`` …, and the first also
    ``{hostname1}``. Raises BadTemplate.
    """
    holes = _HOLE.findall(template)
    if not holes:
        return template
    known = _parts(url or "")
    for hole in holes:
        if hole not in known:
            raise BadTemplate(url=_HOLE.sub("{…}", template).partition("://")[0] + "://…", hole=hole)
    return _HOLE.sub(lambda found: known[found[1]], template)


def _parts(url: str) -> dict[str, str]:
    whole = urlsplit(url)
    known = {
        "scheme": whole.scheme,
        "path": whole.path.removeprefix("/"),
        "query": whole.query,
        "fragment": whole.fragment,
    }
    for number, place in enumerate(whole.netloc.split(","), 1):
        one = urlsplit(f"//{place}")
        username, _, password = place.rpartition("@")[0].partition(":")
        facts = {
            "username": username,
            "password": password,
            "hostname": f"[{one.hostname}]" if ":" in (one.hostname or "") else one.hostname or "",
            "port": str(one.port or ""),
        }
        known |= {f"{name}{number}": value for name, value in facts.items()}
        if number == 1:
            known |= facts
    return known
