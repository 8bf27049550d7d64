"""What can be said about wanted networks before a host is chosen, while the user still waits for the answer."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import replace

from kilonova.clients.keystone.errors import RemoteConflict, RemoteInvalid, RemoteNotFound
from kilonova.clients.neutron import contract as errors
from kilonova.clients.neutron.api import NetworkApi, Row
from kilonova.clients.neutron.facts import NetworkFacts, NetworkRequest, Wanted
from kilonova.clients.neutron.reading import by, network_of, project_of
from kilonova.kit.context import Context

Requests = tuple[NetworkRequest, ...]


class Checker:
    """One validation: one caller, one project, one create request."""

    def __init__(self, api: NetworkApi, context: Context | None, project_id: str, count: int) -> None:
        self._api = api
        self._context = context if context is not None and context.token is not None else None
        self._project = project_id
        self._count = count
        self._unlimited = context is not None and context.is_admin

    def check(self, wanted: Wanted) -> Requests:
        """Raises the errors of ``neutron.contract``."""
        requests = self._named(wanted)
        self._once(requests)
        ports = self._ports(requests)
        requests = tuple(replace(r, network_id=ports[r.port_id]["network_id"]) if r.port_id else r for r in requests)
        networks = self._networks(requests)
        self._addresses(requests, networks)
        self._quota(self._count * sum(1 for r in requests if r.port_id is None))
        return requests

    # -- which networks --
    def _named(self, wanted: Wanted) -> Requests:
        if wanted == "none":
            return ()
        if isinstance(wanted, tuple):
            return wanted
        available = visible(self._api, self._context, self._project)
        if len(available) > 1:
            raise errors.NetworkAmbiguous
        if available:
            return (NetworkRequest(network_id=available[0].id),)
        if wanted is None:
            return ()
        self._dry_run()
        return (NetworkRequest(auto=True),)

    def _dry_run(self) -> None:
        try:
            self._api.show("auto_allocated_topologies", self._project, [("fields", "dry-run")], self._context)
        except (RemoteConflict, RemoteInvalid, RemoteNotFound) as error:
            raise errors.AutoAllocationImpossible(project_id=self._project, reason=error.fields["reason"]) from error

    def _once(self, requests: Requests) -> None:
        named = [r.port_id for r in requests if r.port_id]
        for port_id in named:
            if named.count(port_id) > 1:
                raise errors.PortRequestedTwice(port_id=port_id)
        if self._count > 1 and named:
            raise errors.NotForMany(field="port", thing="port ID")
        if self._count > 1 and any(r.fixed_ip for r in requests):
            raise errors.NotForMany(field="fixed_ip", thing="fixed IP")

    # -- ports --
    def _ports(self, requests: Requests) -> Mapping[str, Row]:
        wanted = [r.port_id for r in requests if r.port_id]
        found = {row["id"]: row for row in by(self._api, "ports", "id", wanted, self._context)}
        for port_id in wanted:
            self._port(port_id, found.get(port_id))
        return found

    def _port(self, port_id: str, row: Row | None) -> None:
        if row is None:
            raise errors.PortNotFound(port_id=port_id)
        if project_of(row) != self._project and not self._unlimited:
            raise errors.PortNotUsable(port_id=port_id, project_id=self._project)
        if row.get("device_id"):
            raise errors.PortInUse(port_id=port_id)
        if not row.get("fixed_ips") and row.get("ip_allocation") != "deferred":
            raise errors.PortRequiresFixedIp(port_id=port_id)

    # -- networks --
    def _networks(self, requests: Requests) -> Mapping[str, NetworkFacts]:
        wanted = [r.network_id for r in requests if r.network_id and not r.port_id]
        found = {row["id"]: network_of(row) for row in by(self._api, "networks", "id", wanted, self._context)}
        for network_id in wanted:
            self._network(network_id, found.get(network_id))
        return found

    def _network(self, network_id: str, network: NetworkFacts | None) -> None:
        if network is None or not (self._context is not None or self._unlimited or self._reaches(network)):
            raise errors.NetworkNotFound(network_id=network_id)
        if network.external and not (self._unlimited or network.shared or network.project_id == self._project):
            raise errors.ExternalNetworkForbidden(network_id=network_id)
        if not network.subnet_ids:
            raise errors.NetworkRequiresSubnet(network_id=network_id)

    def _reaches(self, network: NetworkFacts) -> bool:
        return network.shared or network.external or network.project_id == self._project

    # -- addresses --
    def _addresses(self, requests: Requests, networks: Mapping[str, NetworkFacts]) -> None:
        asked = [r for r in requests if r.fixed_ip and r.network_id in networks]
        if not asked:
            return
        subnets = by(self._api, "subnets", "network_id", [r.network_id or "" for r in asked])
        for request in asked:
            self._address(request, [row for row in subnets if row["network_id"] == request.network_id])

    def _address(self, request: NetworkRequest, subnets: Sequence[Row]) -> None:
        where = {"address": request.fixed_ip, "network_id": request.network_id}
        try:
            address = ipaddress.ip_address(request.fixed_ip or "")
        except ValueError:
            raise errors.FixedIpInvalid(**where) from None
        if not any(address in ipaddress.ip_network(row["cidr"]) for row in subnets):
            raise errors.FixedIpInvalid(**where)
        query = [("network_id", request.network_id or ""), ("fixed_ips", f"ip_address={address}"), ("fields", "id")]
        if self._api.rows("ports", query):
            raise errors.FixedIpInUse(**where)

    # -- quota --
    def _quota(self, needed: int) -> None:
        if not needed:
            return
        try:
            quota = self._api.show("quotas", f"{self._project}/details")["port"]
            limit, used = quota["limit"], quota["used"] + quota.get("reserved", 0)
        except RemoteNotFound:
            limit = self._api.show("quotas", self._project)["port"]
            used = len(self._api.rows("ports", [("project_id", self._project), ("fields", "id")]))
        if 0 <= limit < used + needed:
            raise errors.PortLimitExceeded(limit=limit, used=used, needed=needed)


def visible(api: NetworkApi, context: Context | None, project_id: str) -> tuple[NetworkFacts, ...]:
    """The project's own networks, then the shared ones."""
    own = api.rows("networks", [("project_id", project_id)], context)
    shared = api.rows("networks", [("shared", "true")], context)
    return tuple({row["id"]: network_of(row) for row in own + shared}.values())
