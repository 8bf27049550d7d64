"""The lab's networks put together: documents in, host plumbed, documents out."""

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from kilonova.kit.clock import Clock
from kilonova.kit.context import Context
from kilonova.kit.db.engine import Database
from kilonova.kit.http.app import Application, Authenticator, Service
from kilonova.kit.http.errors import network_format
from kilonova.lab.networks import binding
from kilonova.lab.networks.api import endpoints, without_suffix
from kilonova.lab.networks.options import LabNetworkOptions
from kilonova.lab.networks.plan import HostPlan, plan_of
from kilonova.lab.networks.plumbing import Abilities, Plumbing, Report
from kilonova.lab.networks.store.documents import Documents, NetworkStore
from kilonova.lab.networks.work import Caller, Work, caller_of

LOG = logging.getLogger(__name__)
T = TypeVar("T")
LAB = Caller("", privileged=True, writer=True)


class LabNetworks:
    """The lab's networks. Thread safe.

    A change, the host's plumbing and the ports' new statuses are one transaction: when the host refuses, nothing was
    written. Changes therefore go one after the other, which a lab can bear.
    """

    def __init__(self, database: Database, options: LabNetworkOptions, plumbing: Plumbing, clock: Clock) -> None:
        self.notify: Callable[[set[str]], None] = lambda _servers: None
        """Told of servers whose addresses changed; whoever wires the lab may set it."""
        self.store = NetworkStore(database, clock)
        self.options = options
        self._plumbing = plumbing
        self._applied: tuple[HostPlan, Report] | None = None
        self._lock = threading.Lock()

    def look(self, context: Context, work: Callable[[Work], T]) -> T:
        """``work`` on what is there; changes nothing."""
        with self.store.read() as documents:
            return work(Work(documents, caller_of(context), self.options))

    def change(self, caller: Caller, work: Callable[[Work], T]) -> T:
        """``work`` in a transaction, and the host made to fit. Raises PlumbingFailed and what ``work`` does."""

        def run(documents: Documents) -> tuple[T, set[str]]:
            unit = Work(documents, caller, self.options, self._plumbing.host_networks)
            answer = work(unit)
            self._fit(documents)
            return answer, unit.changed_servers

        answer, servers = self.store.transact(run)
        if servers:
            self.notify(servers)
        return answer

    def sync(self) -> Report:
        """Make the host fit the database again, after a reboot say. Raises PlumbingFailed."""
        with self._lock:
            self._applied = None
        return self.store.transact(self._fit)

    def teardown(self) -> None:
        """Remove everything of ours from the host; the database stays."""
        with self._lock:
            self._applied = None
            self._plumbing.teardown()

    def abilities(self) -> Abilities:
        """What the host can do."""
        return self._plumbing.abilities()

    def _fit(self, documents: Documents) -> Report:
        everything = documents.everything()
        report = self._apply(plan_of(everything, self.options.metadata_proxy_port))
        filtered = self._plumbing.abilities().bridged_filter
        for port in everything.get("port", ()):
            if binding.bind(port, filtered=filtered, failed=report.failed):
                port["revision_number"] -= 1  # the change that led here has counted already
                documents.save("port", port)
        return report

    def _apply(self, plan: HostPlan) -> Report:
        with self._lock:
            if self._applied is not None and self._applied[0] == plan and not self._applied[1].failed:
                return self._applied[1]
            self._applied = None
            report = self._plumbing.apply(plan)
            for network_id, reason in report.failed.items():
                LOG.warning("Network %s could not be set up on this host: %s", network_id, reason)
            self._applied = (plan, report)
            return report


def build(
    database: Database,
    options: LabNetworkOptions,
    auth: Authenticator,
    plumbing: Plumbing,
    clock: Clock,
) -> Application:
    """The service's application; its ``service.app`` is the ``LabNetworks``, whose ``sync()`` to call once at start."""
    lab = LabNetworks(database, options, plumbing, clock)
    return Application(
        Service(
            name="lab-networks",
            endpoints=endpoints(),
            app=lab,
            auth=auth,
            error_format=network_format,
            rewrite=without_suffix,
            wrong_method=404,
        )
    )
