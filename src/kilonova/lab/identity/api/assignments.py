"""``GET /v3/role_assignments``: all grants in one list, with filters."""

from typing import Any

from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.lab.identity.rules import ANYONE, READ_OR_SELF
from kilonova.lab.identity.store.rows import Row
from kilonova.lab.identity.store.store import IdentityStore
from kilonova.lab.identity.tokens import named

_FILTERS = {
    "user.id": "user_id",
    "group.id": "group_id",
    "role.id": "role_id",
    "scope.project.id": "project_id",
    "scope.domain.id": "domain_id",
}


def _flag(call: Call, name: str) -> bool:
    """A key alone means yes, as Keystone reads it."""
    return name in call.query and (call.one(name) or "1").lower() not in ("0", "false")


def _list(call: Call) -> dict[str, Any]:
    call.demand(READ_OR_SELF, {"user_id": call.one("user.id")})
    store: IdentityStore = call.app.store
    rows = store.grants.all()
    if "scope.OS-INHERIT:inherited_to" in call.query:
        rows = []  # inherited grants cannot be made here, so there are none
    if _flag(call, "effective"):
        rows = _effective(store, rows)
    for key, column in _FILTERS.items():
        if call.one(key):
            rows = [row for row in rows if row[column] == call.one(key)]
    if "scope.system" in call.query:
        rows = [row for row in rows if not row["project_id"] and not row["domain_id"]]
    describe = _Names(store) if _flag(call, "include_names") else None
    links = {"self": f"{call.base_url}/v3/role_assignments", "next": None, "previous": None}
    return {"role_assignments": [_document(call, row, describe) for row in rows], "links": links}


def _effective(store: IdentityStore, rows: list[Row]) -> list[Row]:
    """Groups become their users, roles become all that they imply; nothing twice."""
    found: dict[tuple[str, ...], Row] = {}
    for row in rows:
        users = [row["user_id"]] if row["user_id"] else store.grants.members(row["group_id"])
        for role_id in sorted(store.grants.with_implied([row["role_id"]])):
            for user_id in users:
                shown = {**row, "user_id": user_id, "group_id": None, "role_id": role_id}
                found.setdefault((user_id, str(row["project_id"]), str(row["domain_id"]), role_id), shown)
    return list(found.values())


class _Names:
    """Documents with names, looked up once."""

    def __init__(self, store: IdentityStore) -> None:
        self._rows = {
            "domain": {r["id"]: r for r in store.domains.find({})},
            "project": {r["id"]: r for r in store.projects.find({})},
            "user": {r["id"]: r for r in store.users.find({})},
            "group": {r["id"]: r for r in store.groups.find({})},
            "role": {r["id"]: r for r in store.roles.find({})},
        }

    def __call__(self, noun: str, key: str) -> dict[str, Any]:
        row = self._rows[noun][key]
        domain = self._rows["domain"].get(row.get("domain_id"))
        return {**named(row), "domain": named(domain)} if domain else named(row)


def _bare(_noun: str, key: str) -> dict[str, Any]:
    return {"id": key}


def _document(call: Call, row: Row, describe: "_Names | None") -> dict[str, Any]:
    show = describe or _bare
    actor = "user" if row["user_id"] else "group"
    where, scope = _scope(row, show)
    who = row[f"{actor}_id"]
    link = f"{call.base_url}/v3/{where}/{actor}s/{who}/roles/{row['role_id']}"
    return {
        actor: show(actor, who),
        "role": show("role", row["role_id"]),
        "scope": scope,
        "links": {"assignment": link},
    }


def _scope(row: Row, show: Any) -> tuple[str, dict[str, Any]]:
    for noun in ("project", "domain"):
        key = row[f"{noun}_id"]
        if key:
            return f"{noun}s/{key}", {noun: show(noun, key)}
    return "system", {"system": {"all": True}}


ENDPOINTS = [Endpoint(method="GET", path="/v3/role_assignments", handler=_list, rule=ANYONE)]
