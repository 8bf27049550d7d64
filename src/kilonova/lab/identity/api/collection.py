"""What all of Keystone's collections share: create, list with filters, show, change, delete of one noun."""

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from kilonova.kit.clock import Clock
from kilonova.kit.errors import Forbidden, Invalid
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import Field, Object, Schema
from kilonova.lab.identity.login import LoginDesk
from kilonova.lab.identity.rules import ADMIN, ANYONE, READ
from kilonova.lab.identity.store.rows import Row, Rows
from kilonova.lab.identity.store.store import IdentityStore
from kilonova.lab.identity.tokens import Tokens

NAME: Mapping[str, Any] = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"\S"}
TEXT: Mapping[str, Any] = {"type": ["string", "null"]}
FLAG: Mapping[str, Any] = {"type": "boolean"}
KEY: Mapping[str, Any] = {"type": "string", "minLength": 1, "maxLength": 64}
OPTIONAL_KEY: Mapping[str, Any] = {"type": ["string", "null"], "maxLength": 64}
OPTIONS: Mapping[str, Any] = {"type": "object", "maxProperties": 0}
"""Resource options are not offered; clients may send an empty object."""


class ActionRefused(Forbidden):
    """A rule of the data says no (a domain that is still enabled …)."""

    template = "{reason}"


class Identity:
    """The identity service's parts, for its handlers."""

    def __init__(self, store: IdentityStore, clock: Clock, token_lifetime: timedelta) -> None:
        self.store = store
        self.clock = clock
        self.tokens = Tokens(store, clock, token_lifetime)
        self.desk = LoginDesk(store, self.tokens, clock)


def _plain(row: Row) -> Row:
    return row


def _never(_call: Call, _row: Row) -> bool:
    return False


def _same(_call: Call, values: Row, _row: Row | None) -> Row:
    return values


def _nothing(_call: Call, _row: Row) -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class Collection:
    """One noun. ``fields`` are what its body may have; ``extra`` keeps and shows other keys, as Keystone does."""

    noun: str
    plural: str
    rows: Callable[[IdentityStore], Rows]
    fields: tuple[Field, ...]
    filters: tuple[str, ...] = ("name",)
    extra: bool = True
    read_rule: str = READ
    may_read: Callable[[Call, Row], bool] = _never
    """Lets a caller that the rule refuses still see one row."""
    prepare: Callable[[Call, Row, Row | None], Row] = _same
    """Checks and completes new values; the row is None when it is made."""
    before_delete: Callable[[Call, Row], None] = _nothing
    present: Callable[[Row], Row] = _plain

    @property
    def path(self) -> str:
        """Where the collection lives."""
        return f"/v3/{self.plural}"

    def endpoints(self) -> list[Endpoint]:
        """The five endpoints."""
        one = f"{self.path}/{{{self.noun}_id}}"
        make, change = _schemas(self)
        return [
            Endpoint(method="POST", path=self.path, handler=self._create, rule=ADMIN, body=make, status=201),
            Endpoint(method="GET", path=self.path, handler=self._list, rule=self.read_rule),
            Endpoint(method="GET", path=one, handler=self._show, rule=ANYONE),
            Endpoint(method="PATCH", path=one, handler=self._change, rule=ADMIN, body=change),
            Endpoint(method="DELETE", path=one, handler=self._delete, rule=ADMIN, status=204),
        ]

    def document(self, call: Call, row: Row) -> Row:
        """A row as the API shows it."""
        shown = {key: value for key, value in row.items() if key != "extra"}
        shown.update({k: v for k, v in row.get("extra", {}).items() if k not in shown})
        shown = self.present(shown)
        shown["links"] = {"self": f"{call.base_url}{self.path}/{row['id']}"}
        return shown

    def page(self, call: Call, rows: Iterable[Row], path: str | None = None) -> Row:
        """Rows as a list document."""
        links = {"self": f"{call.base_url}{path or self.path}", "next": None, "previous": None}
        return {self.plural: [self.document(call, row) for row in rows], "links": links}

    def _key(self, call: Call) -> str:
        return call.params[f"{self.noun}_id"]

    def _create(self, call: Call) -> Row:
        rows = self.rows(call.app.store)
        given = {k: v for k, v in call.body[self.noun].items() if k != "options"}
        values = self.prepare(call, given, None)
        if not values.get("id"):
            values["id"] = uuid.uuid4().hex
        return {self.noun: self.document(call, rows.add(self._stored(rows, values, {})))}

    def _change(self, call: Call) -> Row:
        rows = self.rows(call.app.store)
        row = rows.get(self._key(call))
        given = {k: v for k, v in call.body[self.noun].items() if k not in ("options", "links")}
        if given.pop("id", row["id"]) != row["id"]:
            raise Invalid(f"Cannot change {self.noun} ID")
        values = self._stored(rows, self.prepare(call, given, row), row.get("extra", {}))
        return {self.noun: self.document(call, rows.change(row["id"], values))}

    def _stored(self, rows: Rows, values: Row, extra: Row) -> Row:
        columns = {k: v for k, v in values.items() if k in rows.columns}
        if "description" in columns and columns["description"] is None:
            columns["description"] = ""
        others = {k: v for k, v in values.items() if k not in rows.columns}
        return {**columns, "extra": {**extra, **others}}

    def _list(self, call: Call) -> Row:
        wanted = {name: filter_value(name, call.one(name)) for name in self.filters if call.one(name) is not None}
        return self.page(call, self.rows(call.app.store).find(wanted))

    def _show(self, call: Call) -> Row:
        row = self.rows(call.app.store).first(id=self._key(call))
        if row is None or not self.may_read(call, row):
            call.demand(self.read_rule, {})
            row = self.rows(call.app.store).get(self._key(call))
        return {self.noun: self.document(call, row)}

    def _delete(self, call: Call) -> None:
        rows = self.rows(call.app.store)
        self.before_delete(call, rows.get(self._key(call)))
        rows.remove(self._key(call))


def _schemas(collection: Collection) -> tuple[Schema, Schema]:
    def wrapped(fields: tuple[Field, ...]) -> Schema:
        inner = Object(fields, extra=collection.extra, rules={"minProperties": 1})
        return Schema(Object((Field(name=collection.noun, schema=inner, required=True),)))

    return wrapped(collection.fields), wrapped(tuple(replace(f, required=False) for f in collection.fields))


def filter_value(name: str, text: str | None) -> Any:
    """A query value as the column has it; flags are true unless they say 0 or false."""
    if name in ("enabled", "is_domain"):
        return (text or "").lower() not in ("0", "false", "no")
    return text


def demand_known(call: Call, rows: Callable[[IdentityStore], Rows], key: str | None, field: str) -> None:
    """Raises Invalid, naming the field, when the body names something that does not exist."""
    if key is not None and rows(call.app.store).first(id=key) is None:
        raise Invalid(f"Invalid input for field '{field}': {key} does not exist.")


def home_domain(call: Call) -> str:
    """The domain of what a caller makes without naming one."""
    context = call.context
    return context.domain_id or context.project_domain_id or context.user_domain_id or "default"
