"""Placement over its REST API."""

import logging
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from kilonova.clients.keystone.errors import RemoteConflict, RemoteInvalid, RemoteNotFound
from kilonova.clients.keystone.neighbour import Answer, Neighbour, Request
from kilonova.clients.placement.contract import AlreadyClaimed, NoRoom, ProviderNameTaken, Raced
from kilonova.clients.placement.facts import (
    Allocation,
    Candidate,
    Candidates,
    Inventory,
    Provider,
    ProviderSummary,
    Usage,
)
from kilonova.kit.clock import Clock, SystemClock
from kilonova.kit.errors import KilonovaError

LOG = logging.getLogger(__name__)
_VERSION = {"OpenStack-API-Version": "placement 1.39"}
_EXPLAIN = "/ext/v1/allocation_candidates/explain"
"""Our own service has it (docs/ext.md), another answers 404."""
_RACED = "placement.concurrent_update"
_TRIES = 5
_NOT_FOUND = 404


class HttpPlacement:
    """Implements ``contract.Placement``."""

    def __init__(self, neighbour: Neighbour, clock: Clock | None = None) -> None:
        self._neighbour = neighbour
        self._clock = clock or SystemClock()

    # -- claims --
    def candidates(self, query: Sequence[tuple[str, str]]) -> Candidates:
        document = self._call("GET", "/allocation_candidates", query=query).json()
        return Candidates(
            requests=tuple(_candidate(row) for row in document["allocation_requests"]),
            summaries={uuid: _summary(uuid, row) for uuid, row in document["provider_summaries"].items()},
        )

    def why_none(self, query: Sequence[tuple[str, str]]) -> str | None:
        try:
            answer = self._call("GET", _EXPLAIN, query=query, accept=(_NOT_FOUND,))
        except KilonovaError as error:
            LOG.info("Placement does not explain why there are no candidates: %s", error)
            return None
        return None if answer.status == _NOT_FOUND else str(answer.json()["summary"])

    def claim(self, wanted: Allocation) -> None:
        def attempt() -> None:
            try:
                self._call("PUT", f"/allocations/{wanted.consumer}", _allocation_body(wanted))
            except RemoteConflict as error:
                self._judge(wanted, error)

        self._until_unraced(attempt)

    def _judge(self, wanted: Allocation, error: RemoteConflict) -> None:
        """A conflict is no failure when an earlier try of the same claim had got through."""
        present = self.allocation(wanted.consumer)
        if present is None:
            if error.fields["code"] == _RACED:
                raise error
            raise NoRoom(consumer=wanted.consumer, reason=error.fields["reason"]) from error
        if _plain(present.allocations) != _plain(wanted.allocations):
            raise AlreadyClaimed(consumer=wanted.consumer) from error

    def replace(self, wanted: Sequence[Allocation]) -> None:
        body = {row.consumer: _allocation_body(row) for row in wanted}
        try:
            self._call("POST", "/allocations", body)
        except RemoteConflict as error:
            if error.fields["code"] == _RACED:
                raise Raced(consumer=", ".join(body)) from error
            raise NoRoom(consumer=", ".join(body), reason=error.fields["reason"]) from error

    def allocation(self, consumer: str) -> Allocation | None:
        document = self._call("GET", f"/allocations/{consumer}").json()
        if not document["allocations"]:
            return None
        return Allocation(
            consumer=consumer,
            allocations={uuid: row["resources"] for uuid, row in document["allocations"].items()},
            project_id=document["project_id"],
            user_id=document["user_id"],
            consumer_type=document["consumer_type"],
            generation=document["consumer_generation"],
        )

    def release(self, consumer: str) -> bool:
        return self._call("DELETE", f"/allocations/{consumer}", accept=(_NOT_FOUND,)).status != _NOT_FOUND

    # -- providers --
    def ensure_provider(self, uuid: str, name: str, parent: str | None = None) -> Provider:
        present = self._provider(uuid)
        if present is None:
            return self._create(uuid, name, parent)
        if present.name == name and (parent is None or present.parent == parent):
            return present
        body = {"name": name, "parent_provider_uuid": parent or present.parent}
        return _provider(self._call("PUT", f"/resource_providers/{uuid}", body).json())

    def _create(self, uuid: str, name: str, parent: str | None) -> Provider:
        body = {"uuid": uuid, "name": name} | ({"parent_provider_uuid": parent} if parent else {})
        try:
            return _provider(self._call("POST", "/resource_providers", body).json())
        except RemoteConflict as error:
            made = self._provider(uuid)
            if made is not None:
                return made
            others = self.providers([("name", name)])
            if not others:
                raise
            raise ProviderNameTaken(name=name, other=others[0].uuid, uuid=uuid) from error

    def _provider(self, uuid: str) -> Provider | None:
        answer = self._call("GET", f"/resource_providers/{uuid}", accept=(_NOT_FOUND,))
        return None if answer.status == _NOT_FOUND else _provider(answer.json())

    def set_inventory(self, uuid: str, inventory: Mapping[str, Inventory]) -> None:
        def put(generation: int) -> None:
            rows = {name: asdict(row) for name, row in inventory.items()}
            body = {"resource_provider_generation": generation, "inventories": rows}
            self._call("PUT", f"/resource_providers/{uuid}/inventories", body)

        def attempt() -> None:
            document = self._call("GET", f"/resource_providers/{uuid}/inventories").json()
            if _inventories(document) != dict(inventory):
                self._with_custom(put, document["resource_provider_generation"], "/resource_classes/", inventory)

        self._until_unraced(attempt)

    def inventory(self, uuid: str) -> Mapping[str, Inventory]:
        return _inventories(self._call("GET", f"/resource_providers/{uuid}/inventories").json())

    def set_traits(self, uuid: str, traits: Collection[str]) -> None:
        def put(generation: int) -> None:
            body = {"resource_provider_generation": generation, "traits": sorted(traits)}
            self._call("PUT", f"/resource_providers/{uuid}/traits", body)

        def attempt() -> None:
            document = self._call("GET", f"/resource_providers/{uuid}/traits").json()
            if set(document["traits"]) != set(traits):
                self._with_custom(put, document["resource_provider_generation"], "/traits/", traits)

        self._until_unraced(attempt)

    def traits(self, uuid: str) -> frozenset[str]:
        return frozenset(self._call("GET", f"/resource_providers/{uuid}/traits").json()["traits"])

    def set_aggregates(self, uuid: str, aggregates: Collection[str]) -> None:
        def attempt() -> None:
            path = f"/resource_providers/{uuid}/aggregates"
            document = self._call("GET", path).json()
            if set(document["aggregates"]) != set(aggregates):
                generation = document["resource_provider_generation"]
                body = {"aggregates": sorted(aggregates), "resource_provider_generation": generation}
                self._call("PUT", path, body)

        self._until_unraced(attempt)

    def aggregates(self, uuid: str) -> frozenset[str]:
        return frozenset(self._call("GET", f"/resource_providers/{uuid}/aggregates").json()["aggregates"])

    def delete_provider(self, uuid: str) -> bool:
        return self._call("DELETE", f"/resource_providers/{uuid}", accept=(_NOT_FOUND,)).status != _NOT_FOUND

    def providers(self, query: Sequence[tuple[str, str]] = ()) -> tuple[Provider, ...]:
        document = self._call("GET", "/resource_providers", query=query).json()
        return tuple(_provider(row) for row in document["resource_providers"])

    def consumers(self, uuid: str) -> Mapping[str, Mapping[str, int]]:
        document = self._call("GET", f"/resource_providers/{uuid}/allocations").json()
        return {consumer: row["resources"] for consumer, row in document["allocations"].items()}

    # -- the wire --
    def _call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Sequence[tuple[str, str]] = (),
        accept: tuple[int, ...] = (),
    ) -> Answer:
        request = Request(method=method, path=path, body=body, query=query, headers=_VERSION, accept=accept)
        return self._neighbour.call(request)

    def _with_custom(
        self, put: Callable[[int], None], generation: int, collection: str, names: Collection[str]
    ) -> None:
        """``put``; if Placement does not know a custom name yet, make the custom names and ``put`` again."""
        custom = [name for name in names if name.startswith("CUSTOM_")]
        try:
            put(generation)
        except (RemoteInvalid, RemoteNotFound):
            if not custom:
                raise
            for name in custom:
                self._call("PUT", collection + name)
            put(generation)

    def _until_unraced(self, attempt: Callable[[], None]) -> None:
        """Again, from reading on, while others change the same provider."""
        for turn in range(_TRIES):
            try:
                attempt()
            except RemoteConflict as error:
                if error.fields["code"] != _RACED or turn == _TRIES - 1:
                    raise
                self._clock.sleep(0.01 * 2**turn * random.uniform(0.5, 1.5))  # noqa: S311  # only spreads retries
            else:
                return


def _candidate(row: Mapping[str, Any]) -> Candidate:
    return Candidate(
        allocations={uuid: part["resources"] for uuid, part in row["allocations"].items()},
        mappings={suffix: tuple(uuids) for suffix, uuids in row.get("mappings", {}).items()},
    )


def _summary(uuid: str, row: Mapping[str, Any]) -> ProviderSummary:
    return ProviderSummary(
        uuid=uuid,
        root=row["root_provider_uuid"],
        parent=row["parent_provider_uuid"],
        resources={name: Usage(capacity=r["capacity"], used=r["used"]) for name, r in row["resources"].items()},
        traits=frozenset(row["traits"]),
    )


def _provider(row: Mapping[str, Any]) -> Provider:
    return Provider(
        uuid=row["uuid"],
        name=row["name"],
        generation=row["generation"],
        parent=row.get("parent_provider_uuid"),
        root=row.get("root_provider_uuid"),
    )


def _inventories(document: Mapping[str, Any]) -> dict[str, Inventory]:
    fields = Inventory.__dataclass_fields__
    return {
        name: Inventory(**{key: value for key, value in row.items() if key in fields})
        for name, row in document["inventories"].items()
    }


def _allocation_body(wanted: Allocation) -> dict[str, Any]:
    body: dict[str, Any] = {
        "allocations": {uuid: {"resources": dict(r)} for uuid, r in wanted.allocations.items()},
        "project_id": wanted.project_id,
        "user_id": wanted.user_id,
        "consumer_type": wanted.consumer_type,
        "consumer_generation": wanted.generation,
    }
    if wanted.mappings:
        body["mappings"] = {suffix: list(uuids) for suffix, uuids in wanted.mappings.items()}
    return body


def _plain(allocations: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    return {uuid: dict(resources) for uuid, resources in allocations.items()}
