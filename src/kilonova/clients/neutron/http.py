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
        return [] if answer.status == _NOT_FOUND else list(answer.json()[resource])

    def show(self, resource: str, name: str, query: Query = (), context: Context | None = None) -> Row:
        document = self._neighbour.get(f"{_path(resource)}/{name}", query, context=context, as_user=True)
        return dict(document[_singular(resource)])

    def create(self, resource: str, rows: Sequence[Mapping[str, Any]]) -> list[Row]:
        if len(rows) == 1:
            singular = _singular(resource)
            return [dict(self._neighbour.post(_path(resource), {singular: rows[0]})[singular])]
        return list(self._neighbour.post(_path(resource), {resource: list(rows)})[resource])

    def update(self, resource: str, name: str, changes: Mapping[str, Any]) -> Row:
        singular = _singular(resource)
        return dict(self._neighbour.put(f"{_path(resource)}/{name}", {singular: dict(changes)})[singular])

    def delete(self, resource: str, name: str) -> bool:
        return self._neighbour.delete(f"{_path(resource)}/{name}", accept=(_NOT_FOUND,)) != _NOT_FOUND


def _path(resource: str) -> str:
    return "/v2.0/" + _PATHS.get(resource, resource.replace("_", "-"))


def _singular(resource: str) -> str:
    return _SINGULAR.get(resource, resource.removesuffix("s"))
