"""What compute does with networks, over any ``NetworkApi``."""

import functools
import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from kilonova.clients.keystone.errors import RemoteConflict, RemoteInvalid, RemoteNotFound, RemoteOverQuota
from kilonova.clients.neutron import contract as errors
from kilonova.clients.neutron.api import NetworkApi, Row
from kilonova.clients.neutron.changes import group_ids
from kilonova.clients.neutron.checking import Checker, visible
from kilonova.clients.neutron.facts import (
    NetworkFacts,
    NetworkRequest,
    PortFacts,
    PortOwner,
    SecurityGroupFacts,
    Wanted,
)
from kilonova.clients.neutron.reading import MARK, by, group_facts, network_of, port_facts
from kilonova.kit.context import Context
from kilonova.kit.errors import KilonovaError
from kilonova.kit.undo import UndoStack

LOG = logging.getLogger(__name__)
_UNBOUND = frozenset({"binding_failed", "unbound"})
_ADDRESS_TAKEN = frozenset({"IpAddressInUse", "IpAddressAlreadyAllocated"})
_NO_PORT_SECURITY = "PortSecurityAndIPRequiredForSecurityGroups"
_POOL_EMPTY = "IpAddressGenerationFailure"


class ApiNeutron:
    """Implements ``contract.Neutron``."""

    def __init__(self, api: NetworkApi) -> None:
        self.api = api

    def networks(
        self, context: Context | None, project_id: str, ids: Collection[str] | None = None
    ) -> tuple[NetworkFacts, ...]:
        if ids is None:
            return visible(self.api, context, project_id)
        return tuple(network_of(row) for row in by(self.api, "networks", "id", ids, context))

    def validate(
        self, context: Context | None, project_id: str, wanted: Wanted, count: int = 1
    ) -> tuple[NetworkRequest, ...]:
        return Checker(self.api, context, project_id, count).check(wanted)

    # -- security groups --
    def security_groups(self, context: Context | None, project_id: str, names: Sequence[str]) -> tuple[str, ...]:
        if set(names) <= {"default"}:
            return ()
        return group_ids(self.api, names, project_id, context)

    def security_group_names(self, port_security_groups: Collection[str]) -> Mapping[str, str]:
        return {row["id"]: row["name"] for row in by(self.api, "security_groups", "id", port_security_groups)}

    # -- ports of a server --
    def allocate(
        self,
        owner: PortOwner,
        requests: Sequence[NetworkRequest],
        *,
        host: str,
        security_groups: Sequence[str] = (),
        taken: Collection[str] = (),
    ) -> tuple[PortFacts, ...]:
        if not requests:
            return ()
        work = _Allocation(self.api, owner, host, security_groups)
        rows = work.run([self._settled(r, owner.project_id) for r in requests], taken)
        tags = {row["id"]: request.tag for row, request in zip(rows, requests, strict=True)}
        return port_facts(self.api, rows, tags, floating=any(r.port_id for r in requests))

    def _settled(self, request: NetworkRequest, project_id: str) -> NetworkRequest:
        if not request.auto:
            return request
        topology = self.api.show("auto_allocated_topologies", project_id)
        return NetworkRequest(network_id=topology["id"], tag=request.tag)

    def bind(self, server_id: str, host: str, known: Sequence[PortFacts] = ()) -> tuple[PortFacts, ...]:
        for row in self._of(server_id):
            if row.get("binding:host_id") != host or row.get("binding:vif_type") in _UNBOUND:
                self._rebind(row, host)
        return self.network_info(server_id, known)

    def unbind(self, server_id: str) -> None:
        for row in self._of(server_id):
            if row.get("binding:host_id"):
                self.api.update("ports", row["id"], {"binding:host_id": ""})

    def _rebind(self, row: Row, host: str) -> None:
        """To the binding that was made ahead, if there is one."""
        before = row.get("binding:host_id")
        if before and before != host and self._several_bindings and self.api.activate(row["id"], host):
            self.api.delete(f"ports/{row['id']}/bindings", before)
        else:
            _bound(self.api.update("ports", row["id"], {"binding:host_id": host}), host)

    def bind_second(self, server_id: str, host: str, known: Sequence[PortFacts] = ()) -> tuple[PortFacts, ...] | None:
        if not self._several_bindings:
            return None
        order = {port.id: place for place, port in enumerate(known)}
        rows = []
        for row in sorted(self._of(server_id), key=lambda r: order.get(r["id"], len(order))):
            made = row if row.get("binding:host_id") == host else self._second(row, host)
            rows.append(_bound({**row, **made}, host))
        return port_facts(self.api, rows, {port.id: port.tag for port in known})

    def _second(self, row: Row, host: str) -> Row:
        wanted = {
            "host": host,
            "vnic_type": row.get("binding:vnic_type", "normal"),
            "profile": row.get("binding:profile") or {},
        }
        where = f"ports/{row['id']}/bindings"
        try:
            made = self.api.create(where, [wanted])[0]
        except RemoteConflict:  # an earlier try made it
            made = next(found for found in self.api.rows(where) if found["host"] == host)
        return {
            "binding:host_id": host,
            "binding:vif_type": made["vif_type"],
            "binding:vif_details": made.get("vif_details") or {},
        }

    def drop_second(self, server_id: str, host: str) -> None:
        for row in self._of(server_id):
            if row.get("binding:host_id") != host:
                self.api.delete(f"ports/{row['id']}/bindings", host)

    @functools.cached_property
    def _several_bindings(self) -> bool:
        """Neutron has the extension for a second, inactive binding of a port."""
        return any(row["alias"] == "binding-extended" for row in self.api.rows("extensions"))

    def release(self, server_id: str, port_ids: Collection[str] | None = None) -> None:
        failures: list[KilonovaError] = []
        for row in self._of(server_id):
            if port_ids is None or row["id"] in port_ids:
                try:
                    give_up(self.api, row)
                except KilonovaError as error:
                    LOG.warning("Port %s of server %s: %s", row["id"], server_id, error)
                    failures.append(error)
        if failures:
            raise failures[0]

    def network_info(self, server_id: str, known: Sequence[PortFacts] = ()) -> tuple[PortFacts, ...]:
        order = {port.id: place for place, port in enumerate(known)}
        rows = sorted(self._of(server_id), key=lambda r: (order.get(r["id"], len(order)), r.get("created_at") or ""))
        return port_facts(self.api, rows, {port.id: port.tag for port in known})

    def port(self, context: Context | None, port_id: str) -> PortFacts:
        rows = self.api.rows("ports", [("id", port_id)], context)
        if not rows:
            raise errors.PortNotFound(port_id=port_id)
        return port_facts(self.api, rows, {})[0]

    def has_ports(self, server_ids: Collection[str]) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for row in by(self.api, "ports", "device_id", server_ids):
            found[row["device_id"]] = (*found.get(row["device_id"], ()), row["id"])
        return found

    def groups_of(self, server_id: str) -> tuple[SecurityGroupFacts, ...]:
        ids = {group for row in self._of(server_id) for group in row.get("security_groups") or ()}
        rows = by(self.api, "security_groups", "id", ids)
        return group_facts(self.api, sorted(rows, key=lambda row: (row["name"], row["id"])))

    def _of(self, server_id: str) -> list[Row]:
        return self.api.rows("ports", [("device_id", server_id)])


class _Allocation:
    """One ``allocate``: what is there already is used, what is missing is made, what fails is undone."""

    def __init__(self, api: NetworkApi, owner: PortOwner, host: str, security_groups: Sequence[str]) -> None:
        self._api = api
        self._owner = owner
        self._host = host
        self._groups = list(security_groups)

    def run(self, requests: Sequence[NetworkRequest], taken: Collection[str]) -> list[Row]:
        present = {row["id"]: row for row in self._api.rows("ports", [("device_id", self._owner.server_id)])}
        spare = {key: row for key, row in present.items() if key not in taken}
        rows: list[Row | None] = [_claim_spare(request, spare) for request in requests]
        missing = [r for r, row in zip(requests, rows, strict=True) if row is None and r.port_id is None]
        given = self._given([r.port_id for r, row in zip(requests, rows, strict=True) if row is None and r.port_id])
        with UndoStack() as undo:
            made = iter(self._make(missing, undo))
            settled: list[Row] = []
            for request, row in zip(requests, rows, strict=True):
                if row is not None:
                    settled.append(self._rebound(row))
                elif request.port_id is not None:
                    settled.append(self._take(given[request.port_id], undo))
                else:
                    settled.append(next(made))
            for row in settled:
                _bound(row, self._host)
            return settled

    def _given(self, port_ids: Sequence[str]) -> dict[str, Row]:
        found = {row["id"]: row for row in by(self._api, "ports", "id", port_ids)}
        for port_id in port_ids:
            if port_id not in found:
                raise errors.PortNotFound(port_id=port_id)
            if found[port_id].get("device_id") not in (None, "", self._owner.server_id):
                raise errors.PortInUse(port_id=port_id)
        return found

    def _make(self, requests: Sequence[NetworkRequest], undo: UndoStack) -> list[Row]:
        if not requests:
            return []
        try:
            made = self._api.create("ports", [self._body(request) for request in requests])
        except RemoteOverQuota as error:
            raise errors.PortLimitExceeded(reason=error.fields["reason"]) from error
        except RemoteConflict as error:
            raise _conflict(error, requests) from error
        except RemoteInvalid as error:
            if error.fields["code"] != _NO_PORT_SECURITY:
                raise
            raise errors.SecurityGroupsNotApplicable(network_id=requests[0].network_id) from error
        except RemoteNotFound as error:
            raise errors.NetworkNotFound(network_id=requests[0].network_id) from error
        for row in made:
            undo.push(self._api.delete, "ports", row["id"])
        return made

    def _body(self, request: NetworkRequest) -> dict[str, Any]:
        body: dict[str, Any] = {
            "network_id": request.network_id,
            "project_id": self._owner.project_id,
            "admin_state_up": True,
            "device_id": self._owner.server_id,
            "device_owner": self._owner.device_owner,
            "binding:host_id": self._host,
            "binding:profile": {MARK: True},
        }
        if self._groups:
            body["security_groups"] = self._groups
        if request.fixed_ip:
            body["fixed_ips"] = [{"ip_address": request.fixed_ip}]
        return body

    def _take(self, row: Row, undo: UndoStack) -> Row:
        """A port of the user's becomes the server's."""
        changes = {
            "device_id": self._owner.server_id,
            "device_owner": self._owner.device_owner,
            "binding:host_id": self._host,
        }
        undo.push(give_up, self._api, row)
        return self._api.update("ports", row["id"], changes)

    def _rebound(self, row: Row) -> Row:
        if row.get("binding:host_id") == self._host and row.get("binding:vif_type") not in _UNBOUND:
            return row
        return self._api.update("ports", row["id"], {"binding:host_id": self._host})


def give_up(api: NetworkApi, row: Row) -> None:
    """Delete a port that compute made; a port that the user made becomes free again. Gone already is fine."""
    if (row.get("binding:profile") or {}).get(MARK):
        api.delete("ports", row["id"])
        return
    try:
        api.update("ports", row["id"], {"device_id": "", "device_owner": "", "binding:host_id": ""})
    except RemoteNotFound:
        LOG.info("Port %s is gone already", row["id"])


def _claim_spare(request: NetworkRequest, spare: dict[str, Row]) -> Row | None:
    """The port that an earlier try made for ``request``, taken out of ``spare``."""
    for key, row in spare.items():
        if request.port_id:
            fits = key == request.port_id
        else:
            marked = (row.get("binding:profile") or {}).get(MARK)
            addresses = [ip["ip_address"] for ip in row.get("fixed_ips", ())]
            fits = bool(marked) and row["network_id"] == request.network_id
            fits = fits and (request.fixed_ip is None or request.fixed_ip in addresses)
        if fits:
            return spare.pop(key)
    return None


def _bound(row: Row, host: str) -> Row:
    if row.get("binding:vif_type") in _UNBOUND:
        raise errors.PortBindingFailed(port_id=row["id"], host=host)
    return row


def _conflict(error: RemoteConflict, requests: Sequence[NetworkRequest]) -> KilonovaError:
    code = error.fields["code"]
    if code in _ADDRESS_TAKEN:
        return errors.FixedIpInUse(address=", ".join(r.fixed_ip for r in requests if r.fixed_ip))
    if code == _POOL_EMPTY:
        return errors.NoMoreAddresses(network_id=", ".join(r.network_id or "" for r in requests))
    return error
