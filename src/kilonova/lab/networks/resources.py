"""What a resource declares (attributes and verbs), and the rules that hold for all of them."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from kilonova.kit.errors import Invalid
from kilonova.kit.http.schema import Field, Object, Schema
from kilonova.lab.networks import errors
from kilonova.lab.networks.store.documents import Document
from kilonova.lab.networks.work import Work, new_id

Json = Mapping[str, Any]
TEXT: Json = {"type": "string", "maxLength": 255}
TEXT_OR_NULL: Json = {"type": ["string", "null"], "maxLength": 255}
FLAG: Json = {"type": "boolean"}
UUID: Json = {"type": "string", "format": "uuid"}
UUID_OR_NULL: Json = {"type": ["string", "null"], "format": "uuid"}
UUIDS: Json = {"type": "array", "items": UUID, "maxItems": 100}
_DELAYED = object()


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """A key of a request body."""

    name: str
    schema: Json
    default: Any = _DELAYED
    """Value of a new document that names none; without one the verb fills it in."""
    create: bool = True
    update: bool = True
    required: bool = False
    privileged: bool = False
    """Only admin and services may set it to something else than the default."""
    hidden: bool = False
    """Shown to admin and services only."""


STANDARD = (
    Attribute(name="name", schema=TEXT, default=""),
    Attribute(name="description", schema=TEXT, default=""),
    Attribute(name="project_id", schema=TEXT, update=False),
    Attribute(name="tenant_id", schema=TEXT, update=False),
)


def _nothing(work: Work, documents: list[Document]) -> None:
    del work, documents


def owned(work: Work, documents: list[Document]) -> list[Document]:
    """The caller's own."""
    return [document for document in documents if work.caller.owns(document)]


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One collection of the API."""

    kind: str
    plural: str
    attributes: Sequence[Attribute]
    make: Callable[[Work, Document], Document]
    """Finish and store a new document that has its defaults, id and project."""
    change: Callable[[Work, Document, Document], Document]
    """Store changes: ``(work, document, changes)``."""
    remove: Callable[[Work, Document], None]
    visible: Callable[[Work, list[Document]], list[Document]] = owned
    dress: Callable[[Work, list[Document]], None] = _nothing
    """Add what is computed from other documents."""
    prepare: Callable[[Work], None] | None = None
    """Runs before a list in a transaction of its own when ``needs_preparing`` says so."""
    needs_preparing: Callable[[Work], bool] = field(default=lambda _work: False)
    updatable: bool = True

    @property
    def path(self) -> str:
        """The collection's path: dashes where the body's key has underscores."""
        return f"/v2.0/{self.plural.replace('_', '-')}"

    @cached_property
    def create_schema(self) -> Schema:
        """One new resource."""
        fields = [Field(name=a.name, schema=a.schema, required=a.required) for a in self.attributes if a.create]
        return Schema(Object(tuple(fields)), where=self.kind)

    @cached_property
    def update_schema(self) -> Schema:
        """Changes of one resource."""
        fields = [Field(name=a.name, schema=a.schema) for a in self.attributes if a.update]
        return Schema(Object(tuple(fields)), where=self.kind)

    @cached_property
    def hidden(self) -> frozenset[str]:
        """Keys that ordinary callers do not see."""
        return frozenset(a.name for a in self.attributes if a.hidden)


def create(resource: Resource, work: Work, given: Any) -> Document:
    """A new document. Raises Invalid, PolicyNotAuthorized, OverQuota and what the resource says."""
    resource.create_schema.validate(given, (0, 0))
    _check_caller(resource, work, given, "create")
    project = given.get("project_id") or given.get("tenant_id") or work.caller.project_id
    if project != work.caller.project_id and not work.caller.privileged:
        raise errors.PolicyNotAuthorized(action=f"create_{resource.kind} for project {project}")
    document: Document = {"id": new_id()}
    for attribute in resource.attributes:
        if attribute.name in given:
            document[attribute.name] = given[attribute.name]
        elif attribute.create and attribute.default is not _DELAYED:
            document[attribute.name] = copy.deepcopy(attribute.default)
    document.pop("tenant_id", None)
    document |= {"project_id": project, "tags": []}
    return resource.make(work, document)


def update(resource: Resource, work: Work, document: Document, given: Any) -> Document:
    """Changes to a document. Raises Invalid, PolicyNotAuthorized and what the resource says."""
    resource.update_schema.validate(given, (0, 0))
    _check_caller(resource, work, given, "update")
    return resource.change(work, document, dict(given))


def delete(resource: Resource, work: Work, document: Document) -> None:
    """Remove a document. Raises PolicyNotAuthorized and what the resource says."""
    _check_caller(resource, work, {}, "delete")
    resource.remove(work, document)


def _check_caller(resource: Resource, work: Work, given: Document, verb: str) -> None:
    if not work.caller.writer:
        raise errors.PolicyNotAuthorized(action=f"rule:{verb}_{resource.kind}")
    if work.caller.privileged:
        return
    for attribute in resource.attributes:
        if attribute.privileged and attribute.name in given and given[attribute.name] != attribute.default:
            raise errors.PolicyNotAuthorized(action=f"rule:{verb}_{resource.kind}:{attribute.name}")


def view(resource: Resource, work: Work, documents: list[Document]) -> list[Document]:
    """What the caller gets to see of documents."""
    resource.dress(work, documents)
    hidden = frozenset() if work.caller.privileged else resource.hidden
    return [_shown(document, hidden) for document in documents]


def _shown(document: Document, hidden: frozenset[str]) -> Document:
    shown = {key: value for key, value in document.items() if not key.startswith("_") and key not in hidden}
    if "project_id" in shown:
        shown["tenant_id"] = shown["project_id"]
    return shown


def body_of(body: Any, key: str) -> Any:
    """The value below the body's one key. Raises Invalid."""
    if not isinstance(body, dict) or set(body) != {key}:
        raise Invalid(f"The request body must be an object with the one key '{key}'")
    return body[key]
