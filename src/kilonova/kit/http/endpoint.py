"""What a door declares: endpoints as literals, calls as handlers see them, replies."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from kilonova.kit.context import Context
from kilonova.kit.errors import Invalid
from kilonova.kit.http.schema import Schema
from kilonova.kit.http.versions import Version

Query = Mapping[str, Sequence[str]]


@dataclass(slots=True, kw_only=True)
class Call:
    """One request, parsed, authenticated and validated."""

    context: Context
    version: Version
    params: Mapping[str, str]
    """From the path."""
    query: Query
    """Each key with all its values, in order."""
    body: Any
    """Parsed JSON; for an action, the value below the action's key."""
    headers: Mapping[str, str]
    """Upper case names with dashes (``IF-MATCH``)."""
    base_url: str
    """Scheme, host and the version prefix (``http://host:8774/v2.1``), without trailing slash."""
    app: Any
    """What the service handed to ``Application``: its wired collaborators."""
    path: str = ""
    sender: str = ""
    """Address the request came from."""
    stream: BinaryIO | None = None
    """The raw body of endpoints with ``raw_body``."""
    allow: Callable[[str, Mapping[str, Any]], bool] = lambda _rule, _target: True
    """Policy as a question: ``call.allow("rule", target)``."""
    demand: Callable[[str, Mapping[str, Any]], None] = lambda _rule, _target: None
    """Policy as a demand: raises Forbidden."""
    legacy_v2: bool = False

    def at_least(self, minor: int) -> bool:
        """Is the version ``(major, minor)`` or newer?"""
        return self.version[1] >= minor

    def one(self, name: str, default: str | None = None) -> str | None:
        """The last value of a query key."""
        values = self.query.get(name)
        return values[-1] if values else default

    def integer(self, name: str, default: int | None = None, *, low: int = 0) -> int | None:
        """A whole number from the query. Raises Invalid naming the key."""
        text = self.one(name)
        if text is None:
            return default
        try:
            number = int(text)
        except ValueError:
            raise Invalid(f"Invalid input for query parameters {name}. Value: {text}. It must be an integer") from None
        if number < low:
            raise Invalid(f"Invalid input for query parameters {name}. Value: {text}. It must be at least {low}")
        return number


@dataclass(slots=True)
class Reply:
    """A handler's answer. ``body``: None, bytes as they are, or anything JSON."""

    body: Any = None
    status: int | None = None
    """None: the endpoint's own."""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    stream: Any = None
    """An iterator of bytes instead of a body."""


Handler = Callable[[Call], Any]
"""Returns a Reply, or just its body."""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One method on one path (or one action), from ``since`` to ``until``. The routing table is a list of these."""

    method: str
    path: str
    handler: Handler
    action: str | None = None
    """Key of the body that selects this endpoint on ``…/action`` paths."""
    since: Version = (0, 0)
    until: Version | None = None
    rule: str | None = None
    """Policy rule checked before the handler, with the caller's project and user as target; None: the handler does."""
    public: bool = False
    """Needs no token."""
    body: Schema | None = None
    query: Schema | None = None
    """Validated as an object of lists of strings; unknown keys are dropped below ``strict_query``."""
    strict_query: Version | None = None
    """From which version unknown query keys are refused; None: never."""
    status: int = 200
    statuses: tuple[tuple[Version, int], ...] = ()
    """Further statuses: the last row whose version ≤ the call's wins."""
    raw_body: bool = False
    """The handler reads ``call.stream`` itself."""
    summary: str = ""

    def lives(self, version: Version) -> bool:
        """Is the endpoint there at ``version``?"""
        return self.since <= version and (self.until is None or version <= self.until)

    def status_at(self, version: Version) -> int:
        """Success status at ``version``."""
        found = self.status
        for since, status in self.statuses:
            if since <= version:
                found = status
        return found
