"""Who may open a console: finding the token of a request, and judging the page it comes from."""

from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit


def token(path: str, cookies: str | None) -> str | None:
    """The console token of a WebSocket request.

    noVNC asks for ``/?token=T``; some pages pass on their own ``path=?token=T``; older ones set a cookie.
    """
    query = parse_qs(urlsplit(path).query)
    if query.get("token"):
        return query["token"][0]
    for inner in query.get("path", ()):
        nested = parse_qs(urlsplit(inner).query)
        if nested.get("token"):
            return nested["token"][0]
    return _cookie(cookies)


def _cookie(header: str | None) -> str | None:
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(header or "")
    except CookieError:
        return None
    return jar["token"].value or None if "token" in jar else None


def origin_allowed(origin: str | None, host: str | None, allowed: Iterable[str]) -> bool:
    """May a page of ``origin`` open consoles of the site ``host``?

    Browsers always send the Origin of a WebSocket, other programs need not; without this check any page that a
    user visits could open consoles with the user's cookie.
    """
    if origin is None:
        return True
    name = _hostname(origin)
    if name is None:
        return False
    return name in {_hostname(f"//{host or ''}"), *(item.strip().lower() for item in allowed)}


def _hostname(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:  # an IPv6 address without its closing bracket
        return None
