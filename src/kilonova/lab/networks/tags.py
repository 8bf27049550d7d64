"""Tags: words that a project hangs on its resources."""

from typing import Any

from kilonova.kit.http.schema import Field, Object, Schema
from kilonova.lab.networks import errors
from kilonova.lab.networks.store.documents import Document
from kilonova.lab.networks.work import Work

_TAG = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[^,/]+$"}
_LIST = {"type": "array", "items": _TAG, "maxItems": 50}
_BODY = Schema(Object((Field(name="tags", schema=_LIST, required=True),)), where="tags")


def replace(work: Work, kind: str, document: Document, body: Any) -> list[str]:
    """Exactly these tags now. Raises Invalid."""
    _BODY.validate(body, (0, 0))
    return _save(work, kind, document, body["tags"])


def add(work: Work, kind: str, document: Document, tag: str) -> None:
    """One more tag. Raises Invalid."""
    wanted = [*document["tags"], tag]
    _BODY.validate({"tags": wanted}, (0, 0))
    _save(work, kind, document, wanted)


def drop(work: Work, kind: str, document: Document, tag: str) -> None:
    """One tag less. Raises TagNotFound."""
    check(document, tag)
    _save(work, kind, document, [t for t in document["tags"] if t != tag])


def check(document: Document, tag: str) -> None:
    """Raises TagNotFound."""
    if tag not in document["tags"]:
        raise errors.TagNotFound(tag=tag)


def _save(work: Work, kind: str, document: Document, wanted: list[str]) -> list[str]:
    if not work.caller.writer:
        raise errors.PolicyNotAuthorized(action="rule:update_tags")
    document["tags"] = sorted(set(wanted))
    work.docs.save(kind, document)
    return list(document["tags"])
