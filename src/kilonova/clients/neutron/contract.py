"""What compute asks of Neutron."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from kilonova.clients.neutron.api import NetworkApi
from kilonova.clients.neutron.facts import (
    NetworkFacts,
    NetworkRequest,
    PortFacts,
    PortOwner,
    SecurityGroupFacts,
    Wanted,
)
from kilonova.kit.context import Context
from kilonova.kit.errors import Conflict, Forbidden, Invalid, NotFound, OverQuota, Unavailable


class NetworkNotFound(NotFound):
    """No such network, or not for this project."""

    template = "Network {network_id} could not be found."


class PortNotFound(NotFound):
    """No such port, or not for this project."""

    template = "Port id {port_id} could not be found."


class PortInUse(Conflict):
    """Another device has the port."""

    template = "Port {port_id} is still in use."


class PortNotUsable(Invalid):
    """The port belongs to another project."""

    template = "networks.port: Port {port_id} is not usable for a server of project {project_id}."


class PortRequiresFixedIp(Invalid):
    """A port without an address is of no use."""

    template = "networks.port: Port {port_id} requires a FixedIP in order to be used."


class NetworkRequiresSubnet(Invalid):
    """There are no addresses on the network."""

    template = "networks.uuid: Network {network_id} requires a subnet in order to boot instances on."


class ExternalNetworkForbidden(Forbidden):
    """Only administrators put servers right on external networks."""

    template = "It is not allowed to create an interface on external network {network_id}"


class NetworkAmbiguous(Conflict):
    """The user named none, and there are several."""

    template = "Multiple possible networks found, use a Network ID to be more specific."


class FixedIpInvalid(Invalid):
    """The address is in none of the network's subnets."""

    template = "networks.fixed_ip: Fixed IP {address} is not a valid ip address for network {network_id}."


class FixedIpInUse(Conflict):
    """Someone has the address."""

    template = "Fixed IP {address} is already in use."


class NoMoreAddresses(Conflict):
    """The network's pools are used up."""

    template = "No fixed IP addresses available for network: {network_id}"


class NotForMany(Invalid):
    """A port or an address can only serve one server."""

    template = "networks.{field}: Unable to launch multiple instances with a single configured {thing}."


class PortRequestedTwice(Invalid):
    """The same port for two NICs."""

    template = "networks.port: Port {port_id} is named more than once."


class PortLimitExceeded(OverQuota):
    """Neutron's quota of ports."""

    template = "Maximum number of ports exceeded"


class SecurityGroupNotFound(NotFound):
    """No such group in the project."""

    template = "Security group {name} not found for project {project_id}."


class SecurityGroupAmbiguous(Conflict):
    """A name that several groups have."""

    template = "Multiple security_group matches found for name '{name}', use an ID to be more specific."


class SecurityGroupsNotApplicable(Invalid):
    """Port security is off on the network."""

    template = "security_groups: Network {network_id} has port security disabled; no security group can be applied."


class NotOnNetwork(NotFound):
    """The server has no port that could do."""

    template = "Server {server_id} has no port {where}"


class GroupNotApplied(NotFound):
    """The security group is on none of the server's ports."""

    template = "Security group {name} is not associated with server {server_id}."


class AutoAllocationImpossible(Invalid):
    """Neutron has no default subnet pool or external network for it."""

    template = "networks: Unable to automatically allocate a network for project {project_id}: {reason}"


class PortBindingFailed(Unavailable):
    """No mechanism of Neutron can connect the port on this host."""

    template = "Binding failed for port {port_id} on host {host}, please check neutron logs for more information."


class Neutron(Protocol):
    """Every call may be repeated, and raises the Unavailable kinds of ``clients.keystone.errors``.

    ``context``: whose eyes; None, or one without a token, is the service.
    """

    @property
    def api(self) -> NetworkApi:
        """Neutron's own documents, for the routes that pass them on."""

    def networks(
        self, context: Context | None, project_id: str, ids: Collection[str] | None = None
    ) -> tuple[NetworkFacts, ...]:
        """The project's own and shared networks; with ``ids``, those of them that the caller can see."""

    def validate(
        self, context: Context | None, project_id: str, wanted: Wanted, count: int = 1
    ) -> tuple[NetworkRequest, ...]:
        """Everything that can be known before a host is chosen: existence, visibility, use, addresses, quota.

        Returns one request per NIC with its network filled in (``auto`` stays). Raises the errors of this module.
        """

    def security_groups(self, context: Context | None, project_id: str, names: Sequence[str]) -> tuple[str, ...]:
        """Names or ids to ids, ``()`` for just ``default``, which Neutron applies by itself.

        Raises SecurityGroupNotFound, SecurityGroupAmbiguous.
        """

    def security_group_names(self, port_security_groups: Collection[str]) -> Mapping[str, str]:
        """Id → name."""

    def groups_of(self, server_id: str) -> tuple[SecurityGroupFacts, ...]:
        """The security groups of the server's ports, by name."""

    def allocate(
        self,
        owner: PortOwner,
        requests: Sequence[NetworkRequest],
        *,
        host: str,
        security_groups: Sequence[str] = (),
        taken: Collection[str] = (),
    ) -> tuple[PortFacts, ...]:
        """One bound port per request, in order. Ports that an earlier try made are found and used.

        ``taken``: ports of the server that serve its other NICs. On failure nothing made here stays.
        Raises PortBindingFailed, PortLimitExceeded, FixedIpInUse, NoMoreAddresses, PortNotFound, PortInUse.
        """

    def bind(self, server_id: str, host: str, known: Sequence[PortFacts] = ()) -> tuple[PortFacts, ...]:
        """Move all ports of the server to ``host``. Raises PortBindingFailed."""

    def unbind(self, server_id: str) -> None:
        """All ports of the server are on no host; they stay its own."""

    def bind_second(self, server_id: str, host: str, known: Sequence[PortFacts] = ()) -> tuple[PortFacts, ...] | None:
        """Bind the ports to ``host``, too, where a live migration will bring their server; ``bind`` takes it up.

        The ports as they will be there. None: this Neutron knows one binding a port. Raises PortBindingFailed.
        """

    def drop_second(self, server_id: str, host: str) -> None:
        """The server does not go to ``host`` after all."""

    def release(self, server_id: str, port_ids: Collection[str] | None = None) -> None:
        """Delete the ports that compute made, give back the others; with ``port_ids`` only those."""

    def network_info(self, server_id: str, known: Sequence[PortFacts] = ()) -> tuple[PortFacts, ...]:
        """All ports of the server, read anew; ``known`` gives order and tags."""

    def port(self, context: Context | None, port_id: str) -> PortFacts:
        """Raises PortNotFound."""

    def has_ports(self, server_ids: Collection[str]) -> Mapping[str, tuple[str, ...]]:
        """Server → ids of its ports, for looking after leaks."""
