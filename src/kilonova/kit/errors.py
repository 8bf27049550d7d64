"""Errors by kind. A kind says what went wrong in principle; ``kit.http.errors`` alone knows statuses.

A class carries a message template; its fields are keyword arguments and stay readable on the instance::

    class FlavorNotFound(NotFound):
        template = "Flavor {flavor_id} could not be found."

    raise FlavorNotFound(flavor_id="42")
"""

from typing import Any, ClassVar, Literal

Kind = Literal[
    "not_found",
    "conflict",
    "invalid",
    "unauthorized",
    "forbidden",
    "over_quota",
    "unavailable",
    "unsupported",
    "gone",
    "internal",
]


class KilonovaError(Exception):
    """Root of all errors that carry words for a user."""

    kind: ClassVar[Kind] = "internal"
    template: ClassVar[str] = "{message}"
    code: ClassVar[str | None] = None
    """Machine-readable code where an API has them (placement from 1.23)."""
    told: ClassVar[str | None] = None
    """What users of an API are told instead, where the message is for operators."""

    def __init__(self, message: str | None = None, **fields: Any) -> None:
        self.fields = fields if message is None else {"message": message, **fields}
        super().__init__(message if message is not None else self.template.format(**fields))

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), str(self), self.fields))


def _rebuild(cls: type[KilonovaError], message: str, fields: dict[str, Any]) -> KilonovaError:
    error = cls(message)
    error.fields = fields
    return error


class NotFound(KilonovaError):
    """Something named does not exist, or not for this caller."""

    kind = "not_found"


class Conflict(KilonovaError):
    """The thing's present state does not allow it."""

    kind = "conflict"


class Invalid(KilonovaError):
    """The input is wrong; the message names the field."""

    kind = "invalid"


class Unauthorized(KilonovaError):
    """No token, or not a valid one."""

    kind = "unauthorized"
    template = "The request you have made requires authentication."


class Forbidden(KilonovaError):
    """Policy says no."""

    kind = "forbidden"


class OverQuota(KilonovaError):
    """A limit would be exceeded."""

    kind = "over_quota"


class Unavailable(KilonovaError):
    """A neighbour or a part of us does not answer now; trying again may help."""

    kind = "unavailable"


class Unsupported(KilonovaError):
    """The deployment or the driver cannot do this."""

    kind = "unsupported"


class Gone(KilonovaError):
    """The API was retired."""

    kind = "gone"
