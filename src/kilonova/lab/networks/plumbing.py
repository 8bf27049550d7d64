"""The host behind the API: what a plumbing must do, and the one that only pretends."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Protocol

from kilonova.lab.networks.errors import PlumbingFailed
from kilonova.lab.networks.plan import HostPlan


@dataclass(frozen=True)
class Abilities:
    """What security groups can do on this kernel; told in the agents list."""

    routed_filter: bool = True
    """Rules hold for traffic that the host routes, sends or receives."""
    bridged_filter: bool = True
    """Rules hold between guests of one network too (needs br_netfilter)."""
    anti_spoofing: bool = True
    """Guests can only use their own MAC and IP addresses (needs nftables' bridge family)."""


@dataclass(frozen=True)
class Report:
    """How it went: networks that could not be set up, with the reason."""

    failed: Mapping[str, str] = field(default_factory=dict)


class Plumbing(Protocol):
    """Makes the host look like a plan. Everything may be called again at any time."""

    def apply(self, plan: HostPlan) -> Report:
        """Make it so, whatever is there now. Raises PlumbingFailed when nothing can be done at all."""

    def teardown(self) -> None:
        """Remove everything of ours."""

    def abilities(self) -> Abilities: ...

    def host_networks(self) -> Sequence[IPv4Network]:
        """Networks that the host uses itself; subnets must keep off."""


class FakePlumbing:
    """Remembers the plan. ``fail``: networks whose bridge cannot be made; ``broken``: nothing works."""

    def __init__(self) -> None:
        self.plan = HostPlan()
        self.applied = 0
        self.fail: dict[str, str] = {}
        self.broken: str | None = None
        self.networks: list[IPv4Network] = []
        self._lock = threading.Lock()

    def apply(self, plan: HostPlan) -> Report:
        with self._lock:
            if self.broken is not None:
                raise PlumbingFailed(reason=self.broken)
            self.plan = plan
            self.applied += 1
            known = {bridge.network_id for bridge in plan.bridges}
            return Report({key: reason for key, reason in self.fail.items() if key in known})

    def teardown(self) -> None:
        with self._lock:
            self.plan = HostPlan()

    def abilities(self) -> Abilities:
        return Abilities()

    def host_networks(self) -> Sequence[IPv4Network]:
        return list(self.networks)
