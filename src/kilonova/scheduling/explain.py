"""Why these hosts: what went into each filter and what was left, in words for users and for operators."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest

Reason = Callable[[HostState], str]


@dataclass(frozen=True, slots=True)
class Stage:
    """One filter's work in one round."""

    name: str
    before: int
    after: int
    user_words: str
    refused: Sequence[HostState] = ()
    reason: Reason | None = None
    """Evaluated when an operator asks, not for each host of each request."""


@dataclass(slots=True)
class Explanation:
    """The last round of a choice; ``round`` counts the servers of the request from 0."""

    request: ServerRequest
    candidates: int
    """Hosts placement offered."""
    known: int
    """How many of them are compute nodes known here."""
    round: int = 0
    stages: list[Stage] = field(default_factory=list)

    def refused(self, name: str, before: Sequence[HostState], after: Sequence[HostState], *words: Any) -> None:
        """Record a stage; ``words`` are the user's clause and the operator's reason by host."""
        clause, reason = words
        gone: Sequence[HostState] = ()
        if len(after) != len(before):
            kept = set(map(id, after))
            gone = [host for host in before if id(host) not in kept]
        self.stages.append(Stage(name, len(before), len(after), clause, gone, reason))

    def user_text(self) -> str:
        """One sentence for the user, naming filters and numbers but no host."""
        if not self.candidates:
            return f"No host has room for {_asked(self.request)} with the traits and aggregates asked for."
        refusals = [stage for stage in self.stages if stage.before > stage.after]
        parts = [_refusal(stage, first=stage is refusals[0]) for stage in refusals]
        if self.known < self.candidates:
            parts.insert(0, f"{self.candidates - self.known} of them not known to the scheduler")
        which = f"For server {self.round + 1} of {self.request.count}: " if self.round else ""
        return f"{which}{_hosts(self.candidates)} had room; {'; '.join(parts)}."

    def reasons(self) -> dict[str, dict[str, str]]:
        """Filter to host to the reason it was refused, for operators."""
        return {
            stage.name: {host.host: stage.reason(host) for host in stage.refused}
            for stage in self.stages
            if stage.reason is not None and stage.refused
        }

    def tally(self) -> dict[str, Any]:
        """Numbers alone, for the journal: hosts left by each filter, and why, where it refused some."""
        return {
            "candidates": self.candidates,
            "known": self.known,
            "filters": [[s.name, s.after, *([s.user_words] if s.after < s.before else [])] for s in self.stages],
        }

    def document(self) -> dict[str, Any]:
        """All of it as plain JSON values, for operators."""
        return {
            "candidates": self.candidates,
            "known": self.known,
            "round": self.round,
            "filters": [{"name": s.name, "before": s.before, "after": s.after} for s in self.stages],
            "refused": self.reasons(),
        }


def _refusal(stage: Stage, *, first: bool) -> str:
    number = stage.before - stage.after
    of_all = f"all {number}" if first else f"the remaining {number}"
    return f"{stage.name} refused {of_all if number == stage.before else number}: {stage.user_words}"


def _hosts(number: int) -> str:
    return "1 host" if number == 1 else f"{number} hosts"


def _asked(request: ServerRequest) -> str:
    flavor = request.flavor
    return f"{flavor.vcpus} vCPUs, {flavor.memory_mb} MiB of memory and {request.disk_gb} GiB of disk"
