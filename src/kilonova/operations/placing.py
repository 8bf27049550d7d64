"""Choosing a host and claiming its resources: the scheduling room fed from the databases and Placement."""

import contextlib
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Any

from kilonova.clients.placement.contract import NoRoom, Placement, Raced
from kilonova.clients.placement.facts import Allocation, Candidates
from kilonova.domain.service import COMPUTE
from kilonova.kit import codec
from kilonova.kit.clock import Clock, stamp
from kilonova.kit.errors import Unavailable
from kilonova.scheduling.candidates import CandidateSet
from kilonova.scheduling.context import SelectionContext, metadata_keys
from kilonova.scheduling.errors import NoValidHost
from kilonova.scheduling.hosts import Aggregate, HostState
from kilonova.scheduling.prefilters.facts import DeploymentFacts
from kilonova.scheduling.prefilters.placement_query import placement_query
from kilonova.scheduling.request import ServerRequest
from kilonova.scheduling.select import Chooser, Target
from kilonova.store import hosts as host_rows
from kilonova.store import servers, services
from kilonova.store.cells import Cell, Store

_FRESH_SECONDS = 5.0
_RACES = 5
_OF_IMAGES = frozenset({"ImagePropertiesFilter", "AggregateImagePropertiesIsolation", "IsolatedHostsFilter"})
_OF_COUNTS = frozenset({"NumInstancesFilter", "AggregateNumInstancesFilter"})
Query = list[tuple[str, str]]
"""Of GET /allocation_candidates."""


@dataclass(frozen=True, slots=True)
class _Residents:
    """Servers of a cell's hosts, as far as the choice looks at them."""

    busy: Mapping[str, int]
    """Host → how many have a task under way."""
    counts: Mapping[str, int]
    places: Mapping[str, str]
    """Server → host."""
    images: Mapping[str, Mapping[tuple[str, str], int]]
    """Host → image property and value → how many servers have it."""


class HostsSilent(Unavailable):
    """Not one compute host reports: the broker or the database was away, and they will be heard of again."""

    template = "No compute host has reported lately"


class Placer:
    """Chooses and claims. Keep one per process: it caches what hosts report."""

    def __init__(
        self, store: Store, placement: Placement, chooser: Chooser, clock: Clock, *, down_after: int, zone: str
    ) -> None:
        self._store = store
        self._placement = placement
        self._chooser = chooser
        self._clock = clock
        self.attempts: int = chooser.options.scheduler.max_attempts
        """Hosts tried for one server."""
        filters = chooser.options.filters
        self._counts = bool(filters.num_instances_weight_multiplier) or any(
            f.name in _OF_COUNTS for f in chooser.filters
        )
        """Whether anybody asks how many servers a host has."""
        self._images = bool(filters.image_props_weight_multiplier)
        """Whether anybody asks what they are made of."""
        self._down_after = timedelta(seconds=down_after)
        self._default_zone = zone
        self._random = Random()  # noqa: S311  # spreads load, keeps no secret
        self._failed_builds: dict[str, int] = {}
        self._cells: dict[str, int] = {}
        self._facts: dict[str, tuple[str, Mapping[str, Any]]] = {}
        self._aggregates: tuple[float, tuple[Aggregate, ...], dict[str, list[Aggregate]]] = (-1e9, (), {})
        self._lock = threading.Lock()
        self._group_locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def place(self, request: ServerRequest, moving: str | None = None) -> dict[str, Any]:
        """Choose a host for the one server of ``request`` and claim its resources there.

        ``moving``: the consumer that takes over, in the same moment, what the server has claimed until now.
        Returns JSON: host, node, zone, cell, provider, allocations, failed_builds (of the node, so far), why (a tally).
        Raises NoValidHost, which says why; HostsSilent.
        """
        consumer = request.server_uuids[0]
        for _ in range(_RACES):
            targets, why = self._insist(request)
            for target in targets:
                if self._claim(consumer, target, request, moving):
                    return {**self._placed(target), "why": why}
        raise NoValidHost(reason="Every host that had room was taken by other servers in the same moment.")

    def all_silent(self, cells: tuple[Cell, ...] | None = None) -> bool:
        """No host has reported lately, of those that are enabled and not forced down: then it is hardly the hosts."""
        cells = self._store.working if cells is None else cells
        oldest = stamp(self._clock.now() - self._down_after)
        answers = self._store.ask(lambda connection: services.page(connection, binary=COMPUTE, disabled=False), cells)
        wanted = [row for rows in answers.values() for row in rows if not row["forced_down"]]
        return bool(wanted) and not any(host_rows.is_up(row, oldest) for row in wanted)

    def check_rebuild(self, request: ServerRequest, host: str, node: str) -> None:
        """Whether a server may go on where it is with what ``request`` says; nothing is claimed anew for that.

        Only filters that look at images are asked, and the image's required traits. Raises NoValidHost.
        """
        everywhere_by_host = self._host_aggregates()[1]
        here = self._requested_provider(replace(request, requested_host=host, requested_node=node))
        states = self._host_states([here] if here else [], Candidates(), everywhere_by_host, self._store.working)
        context = SelectionContext(self._chooser.options, {}, metadata_keys(states))
        asked = [f for f in self._chooser.filters if f.name in _OF_IMAGES and f.applies(request, context)]
        for state in states:
            for each in asked:
                if not each.passes(state, request, context):
                    raise NoValidHost(reason=f"No valid host was found. {each.user_words}")
            missing = _required_traits(request) - self._placement.traits(state.provider)
            if missing:
                raise NoValidHost(reason=f"No valid host was found. It lacks traits {', '.join(sorted(missing))}")
            return
        raise NoValidHost(reason="No valid host was found. The server's own host is gone.")

    def group_lock(self, group_uuid: str) -> threading.Lock:
        """Held while a member of a server group is placed, so that threads of one process need not choose twice."""
        with self._lock:
            return self._group_locks[group_uuid]

    def release(self, consumer: str) -> None:
        """Give the server's resources back."""
        self._placement.release(consumer)

    def rehearse(self, request: ServerRequest) -> tuple[int, dict[str, Any], str]:
        """How many of the request's servers would find a host now, the tally of the last look, and the words for it.

        Nothing is claimed.
        """
        try:
            query, candidates, hosts = self._offers(request)
        except NoValidHost as error:
            return 0, {"candidates": 0, "known": 0, "filters": []}, str(error)
        try:
            selection = self._chooser.select(candidates, hosts, request, self._random)
        except NoValidHost as error:
            told = error if len(candidates) else self._explained(error, query)
            explanation = error.explanation
            return (explanation.round, explanation.tally(), str(told)) if explanation else (0, {}, str(told))
        return len(selection.servers), selection.explanation.tally(), ""

    def _insist(self, request: ServerRequest) -> tuple[list[Target], dict[str, Any]]:
        """Targets; nobody is refused for hosts of a cell that was not asked, for it may just have come back."""
        try:
            return self._targets(request)
        except NoValidHost as error:
            cells = self._cells_for(request)
            if self.all_silent(cells):
                raise HostsSilent from error
            if not self._store.wake(cells):
                raise
        return self._targets(request)

    def _targets(self, request: ServerRequest) -> tuple[list[Target], dict[str, Any]]:
        query, candidates, hosts = self._offers(request)
        try:
            selection = self._chooser.select(candidates, hosts, request, self._random)
        except NoValidHost as error:
            raise error if len(candidates) else self._explained(error, query) from None
        chosen = selection.servers[0]
        return [chosen.chosen, *chosen.alternates], selection.explanation.tally()

    def _explained(self, error: NoValidHost, query: Query) -> NoValidHost:
        why = self._placement.why_none(query)
        return error.because(why) if why else error

    def _offers(self, request: ServerRequest) -> tuple[Query, CandidateSet, list[HostState]]:
        """The search, what Placement found, and what is known of the hosts."""
        everywhere, by_host = self._host_aggregates()
        facts = DeploymentFacts(
            aggregates=everywhere,
            default_zone=self._default_zone,
            requested_provider=self._requested_provider(request),
        )
        query = placement_query(request, facts, self._chooser.options.scheduler)
        found = self._placement.candidates(query)
        reply = _as_reply(found)
        roots = sorted({summary["root_provider_uuid"] for summary in reply["provider_summaries"].values()})
        hinted = {*request.hint_list("same_host"), *request.hint_list("different_host")}
        states = self._host_states(roots, found, by_host, self._cells_for(request), hinted)
        return query, CandidateSet(reply), states

    def move_back(self, consumer: str, moving: str) -> None:
        """The server has again what ``moving`` holds for it; nothing happens when that is nothing."""
        for _ in range(_RACES):
            kept = self._placement.allocation(moving)
            if kept is None:
                return
            held = self._placement.allocation(consumer)
            generation = held.generation if held is not None else None
            own = replace(kept, consumer=consumer, consumer_type="INSTANCE", generation=generation)
            with contextlib.suppress(Raced):
                self._placement.replace([own, replace(kept, allocations={})])
                return
        raise Unavailable(f"Placement: the claims of {consumer} keep being changed by others")

    def _swap(self, wanted: Allocation, moving: str) -> None:
        """Claim ``wanted`` while ``moving`` takes what the server has. Raises NoRoom, Raced."""
        held = self._placement.allocation(wanted.consumer)
        if held is None:
            self._placement.claim(wanted)
            return
        kept = replace(held, consumer=moving, consumer_type="MIGRATION", generation=None)
        self._placement.replace([kept, replace(wanted, generation=held.generation)])

    def _claim(self, consumer: str, target: Target, request: ServerRequest, moving: str | None) -> bool:
        wanted = Allocation(
            consumer=consumer,
            allocations={p: dict(a["resources"]) for p, a in target.candidate.allocations.items()},
            project_id=request.project_id,
            user_id=request.user_id,
            mappings={k: tuple(v) for k, v in target.candidate.mappings.items()},
        )
        try:
            if moving is None:
                self._placement.claim(wanted)
            else:
                self._swap(wanted, moving)
        except (NoRoom, Raced):
            return False
        return True

    def _placed(self, target: Target) -> dict[str, Any]:
        _, by_host = self._host_aggregates()
        return {
            "host": target.host,
            "node": target.node,
            "provider": target.provider,
            "zone": zone_of(by_host.get(target.host, ()), self._default_zone),
            "cell": self._cells[target.provider],
            "failed_builds": self._failed_builds.get(target.provider, 0),
            "allocations": {p: dict(a["resources"]) for p, a in target.candidate.allocations.items()},
        }

    def _host_aggregates(self) -> tuple[tuple[Aggregate, ...], dict[str, list[Aggregate]]]:
        """All aggregates, and those of each host; reread when older than a few seconds."""
        with self._lock:
            read_at, everywhere, by_host = self._aggregates
        if time.monotonic() - read_at < _FRESH_SECONDS:
            return everywhere, by_host
        with self._store.api.read() as connection:
            found = host_rows.aggregates_with_hosts(connection)
        known: dict[int, Aggregate] = {}
        by_host = {}
        for row in found:
            aggregate = known.setdefault(row["id"], Aggregate(row["uuid"], codec.loads(row["metadata"])))
            if row["host"] is not None:
                by_host.setdefault(row["host"], []).append(aggregate)
        everywhere = tuple(known.values())
        with self._lock:
            self._aggregates = (time.monotonic(), everywhere, by_host)
        return everywhere, by_host

    def forget(self) -> None:
        """Aggregates changed: read them again at the next choice."""
        with self._lock:
            self._aggregates = (-1e9, (), {})

    def _requested_provider(self, request: ServerRequest) -> str | None:
        if request.requested_host is None and request.requested_node is None:
            return None
        answers = self._store.ask(host_rows.nodes_by_uuid, self._store.working)
        for row in (row for nodes in answers.values() for row in nodes):
            if request.requested_host in (None, row["host"]) and request.requested_node in (None, row["node"]):
                return str(row["uuid"])
        return None

    def _cells_for(self, request: ServerRequest) -> tuple[Cell, ...]:
        """Where the server may go: it stays in its cell, and a new one comes to none that is disabled."""
        working = self._store.working
        if request.source_cell is not None:
            return tuple(cell for cell in working if cell.uuid == request.source_cell)
        return tuple(cell for cell in working if not cell.disabled)

    def _host_states(
        self,
        roots: list[str],
        found: Candidates,
        by_host: Mapping[str, list[Aggregate]],
        cells: tuple[Cell, ...],
        hinted: Collection[str] = (),
    ) -> list[HostState]:
        """``hinted``: servers of which it matters where they are."""
        oldest = stamp(self._clock.now() - self._down_after)

        def look(connection: Any) -> tuple[list[Any], _Residents]:
            counts = servers.count_by_host(connection) if self._counts else {}
            images = _properties(servers.images_by_host(connection)) if self._images else {}
            places = servers.hosts_of(connection, hinted)
            residents = _Residents(servers.busy_by_host(connection), counts, places, images)
            return host_rows.nodes_by_uuid(connection, roots), residents

        states: list[HostState] = []
        for cell, (rows, residents) in self._store.ask(look, cells):
            states.extend(self._state(cell, row, found, by_host, residents, oldest) for row in rows)
        return states

    def _state(  # one host put together from all that is known of it
        self,
        cell: Cell,
        row: Mapping[str, Any],
        found: Candidates,
        by_host: Mapping[str, list[Aggregate]],
        residents: "_Residents",
        oldest: str,
    ) -> HostState:
        facts = self._node_facts(row)
        self._failed_builds[row["uuid"]] = row["failed_builds"]
        self._cells[row["uuid"]] = cell.id
        aggregates = tuple(by_host.get(row["host"], ()))
        usage = found.summaries[row["uuid"]].resources if row["uuid"] in found.summaries else {}
        cpu, ram, disk = (usage.get(name) for name in ("VCPU", "MEMORY_MB", "DISK_GB"))
        return HostState(
            host=row["host"],
            node=row["node"],
            provider=row["uuid"],
            cell=cell.uuid,
            service_up=host_rows.is_up(row, oldest),
            service_disabled=row["disabled"],
            disabled_reason=row["disabled_reason"],
            zone=zone_of(aggregates, self._default_zone),
            aggregates=aggregates,
            vcpus_total=cpu.capacity if cpu else facts["vcpus"],
            vcpus_used=cpu.used if cpu else 0,
            total_usable_ram_mb=ram.capacity if ram else facts["memory_mb"],
            free_ram_mb=ram.capacity - ram.used if ram else facts["memory_mb"],
            total_usable_disk_gb=disk.capacity if disk else facts["disk_gb"],
            free_disk_mb=1024 * (disk.capacity - disk.used) if disk else 1024 * facts["free_disk_gb"],
            hypervisor_type=facts["hypervisor_type"],
            hypervisor_version=facts["hypervisor_version"],
            host_ip=facts["host_ip"],
            supported_instances=tuple(tuple(triple) for triple in facts["supported"]),
            cpu_info=facts["cpu_info"],
            metrics=facts.get("metrics", {}),
            num_io_ops=residents.busy.get(row["host"], 0),
            image_props=residents.images.get(row["host"], {}),
            num_instances=residents.counts.get(row["host"], 0),
            server_uuids=frozenset(uuid for uuid, host in residents.places.items() if host == row["host"]),
            failed_builds=row["failed_builds"],
        )

    def _node_facts(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        known = self._facts.get(row["uuid"])
        if known is None or known[0] != row["facts"]:
            known = self._facts[row["uuid"]] = (row["facts"], codec.loads(row["facts"]))
        return known[1]


def _properties(images: Iterable[tuple[str, str, int]]) -> dict[str, Counter[tuple[str, str]]]:
    found: dict[str, Counter[tuple[str, str]]] = {}
    for host, image, number in images:
        here = found.setdefault(host, Counter())
        for name, value in codec.loads(image).get("properties", {}).items():
            here[name, str(value)] += number
    return found


def zone_of(aggregates: Any, default: str) -> str:
    """The availability zone that a host's aggregates give it."""
    return next((a.metadata["availability_zone"] for a in aggregates if "availability_zone" in a.metadata), default)


def _required_traits(request: ServerRequest) -> set[str]:
    properties = request.image.properties if request.image else {}
    wanted = (key for key, value in properties.items() if value == "required")
    return {key.removeprefix("trait:") for key in wanted if key.startswith("trait:")}


def _as_reply(found: Candidates) -> dict[str, Any]:
    """Candidates in the wire's shape, which the scheduling room reads."""
    return {
        "allocation_requests": [
            {
                "allocations": {p: {"resources": amounts} for p, amounts in request.allocations.items()},
                "mappings": {k: list(v) for k, v in request.mappings.items()},
            }
            for request in found.requests
        ],
        "provider_summaries": {
            uuid: {
                "root_provider_uuid": summary.root,
                "resources": {c: {"capacity": u.capacity, "used": u.used} for c, u in summary.resources.items()},
            }
            for uuid, summary in found.summaries.items()
        },
    }
