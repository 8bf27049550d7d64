"""What a console token stands for, and the answer where it stands for nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from kilonova.kit.errors import Unavailable


class Refused(Unavailable):
    """A console session cannot be opened; ``status`` and the message go to the browser."""

    template = "{reason}"

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason=reason)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleTarget:
    """The end of a console session."""

    host: str
    port: int
    server: str
    """UUID of the server, for the log."""
    kind: str
    """``novnc``, ``serial``, ``spice-html5``."""
    expires: datetime
    """When the token ends; naive UTC."""
    internal_access_path: str | None = None
    """Asked for by HTTP CONNECT before the session, where the target is a console server of many guests."""


Redeem = Callable[[str], ConsoleTarget | None]
"""Gives the target of a token; None when it is unknown or expired. May raise ``Unavailable``."""
