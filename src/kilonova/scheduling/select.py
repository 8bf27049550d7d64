"""The choice: hosts that have an allocation candidate, through the filters, by weight, with alternates."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from kilonova.kit import metrics
from kilonova.scheduling.candidates import AllocationCandidate, CandidateSet
from kilonova.scheduling.context import SelectionContext, metadata_keys
from kilonova.scheduling.errors import NoValidHost
from kilonova.scheduling.explain import Explanation, Reason
from kilonova.scheduling.filters.contract import HostFilter
from kilonova.scheduling.filters.registry import enabled_filters
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.options import SchedulingOptions
from kilonova.scheduling.request import ServerRequest
from kilonova.scheduling.weighers.contract import Weigher
from kilonova.scheduling.weighers.registry import enabled_weighers
from kilonova.scheduling.weighers.weighing import weigh


@dataclass(frozen=True, slots=True)
class Target:
    """A host to try and the allocation to claim there."""

    host: str
    node: str
    cell: str
    provider: str
    candidate: AllocationCandidate


@dataclass(frozen=True, slots=True)
class ServerTargets:
    """Where one server goes, and where it may go if that fails (hosts of the same cell)."""

    server_uuid: str
    chosen: Target
    alternates: tuple[Target, ...] = ()


@dataclass(frozen=True, slots=True)
class Selection:
    """One entry per server of the request, in its order."""

    servers: tuple[ServerTargets, ...]
    explanation: Explanation


@dataclass(frozen=True, slots=True)
class Chooser:
    """Filters and weighers ready for use; make one per configuration and keep it."""

    options: SchedulingOptions
    filters: Sequence[HostFilter] = field(default=())
    weighers: Sequence[Weigher] = field(default=())

    @classmethod
    def of(cls, options: SchedulingOptions) -> "Chooser":
        """As the options say. Raises BadSchedulerOption."""
        return cls(options, enabled_filters(options.filters), enabled_weighers(options.filters))

    def select(
        self, candidates: CandidateSet, hosts: Sequence[HostState], request: ServerRequest, random: Random
    ) -> Selection:
        """A host for each server. Raises NoValidHost with an explanation when one gets none; changes no host.

        ``candidates`` counts what the chosen servers take, so give each request its own.
        """
        return _Round(self, candidates, request, random).run(hosts)


def select(
    candidates: CandidateSet,
    hosts: Sequence[HostState],
    request: ServerRequest,
    options: SchedulingOptions,
    random: Random,
) -> Selection:
    """``Chooser.select`` with filters and weighers loaded for this one call."""
    return Chooser.of(options).select(candidates, hosts, request, random)


_REFUSALS = metrics.counter("kilonova_scheduling_refusals", "Hosts that a filter refused", "filter")


class _Round:
    """One request's way through: the hosts and group members change from server to server."""

    def __init__(self, chooser: Chooser, candidates: CandidateSet, request: ServerRequest, random: Random) -> None:
        self.chooser = chooser
        self.candidates = candidates
        self.request = request
        self.random = random
        self.members = dict(request.group.hosts) if request.group is not None else {}
        self.keys: frozenset[str] = frozenset()
        self.explanation = Explanation(request, len(candidates), 0)

    def run(self, hosts: Sequence[HostState]) -> Selection:
        offered = self.candidates.roots
        known = [host for host in hosts if host.provider in offered]
        self.keys = metadata_keys(known)
        picked: list[tuple[str, HostState, AllocationCandidate]] = []
        ordered: list[HostState] = []
        for number, server_uuid in enumerate(self.request.server_uuids):
            self.explanation = Explanation(self.request, len(self.candidates), len(known), number)
            ordered = self._ordered(self._passing(known))
            host, candidate = self._first_with_room(ordered)
            self.candidates.take(candidate)
            self.members[host.host] = self.members.get(host.host, 0) + 1
            picked.append((server_uuid, host, candidate))
            known = [h.with_server(self.request, server_uuid) if h is host else h for h in known]
        chosen = {host.provider for _, host, _ in picked}
        return Selection(
            tuple(
                ServerTargets(uuid, _target(host, candidate), self._alternates(ordered, host.cell, chosen))
                for uuid, host, candidate in picked
            ),
            self.explanation,
        )

    def _passing(self, hosts: Sequence[HostState]) -> Sequence[HostState]:
        """Hosts after the request's own wishes and the filters; all of them recorded. Raises NoValidHost."""
        hosts = self._wished(hosts)
        if not hosts:
            raise self._no_host()
        if self.request.forced:
            return hosts
        context = self._context()
        for filter_ in self.chooser.filters:
            kept = hosts
            if filter_.applies(self.request, context):
                passes = filter_.prepared(self.request, context)
                kept = [host for host in hosts if passes(host)]
                if len(kept) < len(hosts):
                    _REFUSALS.add(filter_.name, by=len(hosts) - len(kept))
            self.explanation.refused(
                filter_.name, hosts, kept, filter_.user_words, _reason(filter_, self.request, context)
            )
            hosts = kept
            if not hosts:
                raise self._no_host()
        return hosts

    def _wished(self, hosts: Sequence[HostState]) -> Sequence[HostState]:
        """Hosts the request itself allows: not ruled out, not tried before, the requested one."""
        request = self.request
        if request.ignore_hosts:
            hosts = self._keep(hosts, "ignored hosts", {h.host for h in hosts} - request.ignore_hosts, "ruled out")
        if request.tried_hosts:
            untried = {h.host for h in hosts} - request.tried_hosts
            hosts = self._keep(hosts, "earlier attempts", untried, "an earlier attempt failed there")
        if request.requested_host is not None or request.requested_node is not None:
            wanted = [
                h
                for h in hosts
                if request.requested_host in (None, h.host) and request.requested_node in (None, h.node)
            ]
            where = f"not the requested {request.requested_host or ''}/{request.requested_node or ''}"
            self.explanation.refused("requested host", hosts, wanted, "not the requested host", lambda _: where)
            hosts = wanted
        return hosts

    def _keep(self, hosts: Sequence[HostState], name: str, allowed: set[str], words: str) -> Sequence[HostState]:
        kept = [host for host in hosts if host.host in allowed]
        self.explanation.refused(name, hosts, kept, words, lambda _: words)
        return kept

    def _ordered(self, hosts: Sequence[HostState]) -> list[HostState]:
        """Best first; at the front, chance among the best as the options ask for."""
        if self.request.forced or len(hosts) == 1:
            return list(hosts)
        options = self.chooser.options.filters
        weights = weigh(hosts, self.request, self._context(), self.chooser.weighers)
        order = sorted(range(len(hosts)), key=weights.__getitem__, reverse=True)
        if options.shuffle_best_same_weighed_hosts:
            best = [index for index in order if weights[index] == weights[order[0]]]
            self.random.shuffle(best)
            order[: len(best)] = best
        lot = self.random.randrange(min(options.host_subset_size, len(order)))
        order.insert(0, order.pop(lot))
        return [hosts[index] for index in order]

    def _first_with_room(self, ordered: Sequence[HostState]) -> tuple[HostState, AllocationCandidate]:
        for host in ordered:
            candidate = self.candidates.first(host.provider)
            if candidate is not None:
                return host, candidate
        words = "full once the request's other servers are placed"
        self.explanation.refused("room", ordered, (), words, lambda _: words)
        raise self._no_host()

    def _alternates(self, ordered: Sequence[HostState], cell: str, chosen: set[str]) -> tuple[Target, ...]:
        """The next best hosts of the cell that no server of this request was sent to."""
        wanted = self.chooser.options.scheduler.max_attempts - 1
        found: list[Target] = []
        for host in ordered:
            if len(found) == wanted:
                break
            if host.cell == cell and host.provider not in chosen:
                candidate = self.candidates.first(host.provider)
                if candidate is not None:
                    found.append(_target(host, candidate))
        return tuple(found)

    def _context(self) -> SelectionContext:
        return SelectionContext(self.chooser.options, dict(self.members), self.keys)

    def _no_host(self) -> NoValidHost:
        error = NoValidHost(reason=self.explanation.user_text())
        error.explanation = self.explanation
        return error


def _reason(filter_: HostFilter, request: ServerRequest, context: SelectionContext) -> Reason:
    return lambda host: filter_.reason(host, request, context)


def _target(host: HostState, candidate: AllocationCandidate) -> Target:
    return Target(host.host, host.node, host.cell, host.provider, candidate)
