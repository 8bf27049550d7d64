"""Neutron's REST API v2.0."""

from collections.abc import Mapping, Sequence
from typing import Any

from kilonova.clients.keystone.neighbour import Neighbour, Request
from kilonova.clients.neutron.api import Query, Row
from kilonova.kit.context import Context

_NOT_FOUND = 404
_SINGULAR = {"quotas": "quota", "auto_allocated_topologies": "auto_allocated_topology"}
_PATHS = {"auto_allocated_topologies": "auto-allocated-topology"}


class HttpNetworkApi:
    """Implements ``api.NetworkApi``."""

    def __init__(self, neighbour: Neighbour) -> None:
        self._neighbour = neighbour

    def rows(self, resource: str, query: Query = (), context: Context | None = None) -> list[Row]:
        answer = self._neighbour.call(
            Request(
                method="GET",
                path=_path(resource),
                query=query,
                context=context,
                as_user=True,
                accept=(_NOT_FOUND,),
            )
        )
        return [] if answer.status == _NOT_FOUND else list(answer.json()[resource.rpartition("/")[2]])

    def show(self, resource: str, name: str, query: Query = (), context: Context | None = None) -> Row:
        document = self._neighbour.get(f"{_path(resource)}/{name}", query, context=context, as_user=True)
        return dict(document[_singular(resource)])

    def create(self, resource: str, rows: Sequence[Mapping[str, Any]], context: Context | None = None) -> list[Row]:
        key = _singular(resource) if len(rows) == 1 else resource.rpartition("/")[2]
        body = {key: rows[0] if len(rows) == 1 else list(rows)}
        made = self._neighbour.post(_path(resource), body, context=context, as_user=True)[key]
        return [dict(made)] if len(rows) == 1 else list(made)

    def update(self, resource: str, name: str, changes: Mapping[str, Any], context: Context | None = None) -> Row:
        key, path = _singular(resource), f"{_path(resource)}/{name}"
        request = Request(method="PUT", path=path, body={key: dict(changes)}, context=context, as_user=True)
        return dict(self._neighbour.call(request).json()[key])

    def delete(self, resource: str, name: str, context: Context | None = None) -> bool:
        path = f"{_path(resource)}/{name}"
        request = Request(method="DELETE", path=path, context=context, as_user=True, accept=(_NOT_FOUND,))
        return self._neighbour.call(request).status != _NOT_FOUND

    def activate(self, port_id: str, host: str) -> bool:
        path = f"/v2.0/ports/{port_id}/bindings/{host}/activate"
        return self._neighbour.call(Request(method="PUT", path=path, accept=(_NOT_FOUND,))).status != _NOT_FOUND


def _path(resource: str) -> str:
    return "/v2.0/" + _PATHS.get(resource, resource.replace("_", "-"))


def _singular(resource: str) -> str:
    """The last part of a path: bindings are below their port."""
    name = resource.rpartition("/")[2]
    return _SINGULAR.get(name, name.removesuffix("s"))
