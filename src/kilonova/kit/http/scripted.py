"""A WSGI application that answers as told and remembers what it was asked: the far end in tests of clients."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from kilonova.kit import codec


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    """Upper case names with dashes."""
    content: bytes

    @property
    def json(self) -> Any:
        """The parsed body; None without one."""
        return codec.loads(self.content) if self.content else None


@dataclass(frozen=True, slots=True)
class Told:
    """One answer; ``body``: None, bytes, or anything JSON."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class ScriptedApp:
    """Answers ``told`` in order, the last one for ever; ``asked`` is what came in."""

    def __init__(self, *told: Told) -> None:
        self._told = deque(told or [Told(204)])
        self.asked: list[Asked] = []

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        self.asked.append(_asked(environ))
        told = self._told.popleft() if len(self._told) > 1 else self._told[0]
        content = told.body if isinstance(told.body, bytes) else (b"" if told.body is None else codec.dumps(told.body))
        headers = {"Content-Length": str(len(content)), "Content-Type": "application/json", **told.headers}
        start_response(f"{told.status} Told", list(headers.items()))
        return [content]

    @property
    def calls(self) -> list[tuple[str, str]]:
        """Method and path of each request."""
        return [(one.method, one.path) for one in self.asked]


def _asked(environ: Mapping[str, Any]) -> Asked:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    names = {key[5:].replace("_", "-"): value for key, value in environ.items() if key.startswith("HTTP_")}
    if "CONTENT_TYPE" in environ:
        names["CONTENT-TYPE"] = environ["CONTENT_TYPE"]
    return Asked(
        method=environ["REQUEST_METHOD"],
        path=environ["PATH_INFO"],
        query=tuple(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)),
        headers=names,
        content=environ["wsgi.input"].read(length) if length else b"",
    )
