"""Errors by Neutron's names: clients read the class name as ``NeutronError.type``."""

from kilonova.kit import errors
from kilonova.kit.errors import Conflict, Invalid, NotFound, Unavailable


class NetworkNotFound(NotFound):
    """No such network, or not for this caller."""

    template = "Network {id} could not be found."


class SubnetNotFound(NotFound):
    """No such subnet, or not for this caller."""

    template = "Subnet {id} could not be found."


class PortNotFound(NotFound):
    """No such port, or not for this caller."""

    template = "Port {id} could not be found."


class RouterNotFound(NotFound):
    """No such router, or not for this caller."""

    template = "Router {id} could not be found."


class FloatingIPNotFound(NotFound):
    """No such floating IP, or not for this caller."""

    template = "Floating IP {id} could not be found."


class SecurityGroupNotFound(NotFound):
    """No such security group, or not for this caller."""

    template = "Security group {id} does not exist."


class SecurityGroupRuleNotFound(NotFound):
    """No such rule, or not for this caller."""

    template = "Security group rule {id} does not exist."


class TagNotFound(NotFound):
    """The resource lacks the tag."""

    template = "Tag {tag} could not be found."


class RouterInterfaceNotFound(NotFound):
    """The port is not an interface of the router."""

    template = "Router {router_id} does not have an interface with id {port_id}"


class RouterInterfaceNotFoundForSubnet(NotFound):
    """The subnet is not attached to the router."""

    template = "Router {router_id} has no interface on subnet {subnet_id}"


class ExternalGatewayForFloatingIPNotFound(NotFound):
    """No router leads from the port's subnet to the external network."""

    template = (
        "External network {external_network_id} is not reachable from subnet {subnet_id}. "
        "Therefore, cannot associate Port {port_id} with a Floating IP."
    )


class InvalidInput(Invalid):
    """A value that its schema allows is wrong in its place."""

    template = "Invalid input for {field}. Reason: {reason}."


class BadRequest(Invalid):
    """The request cannot be done as asked."""

    template = "Bad {resource} request: {reason}."


class OutOfBoundsAllocationPool(Invalid):
    """A pool reaches out of its subnet."""

    template = "The allocation pool {pool} spans beyond the subnet cidr {cidr}."


class InvalidIpForSubnet(Invalid):
    """The address is no host address of the subnet."""

    template = "IP address {ip_address} is not a valid IP for the specified subnet."


class InvalidIpForNetwork(Invalid):
    """No subnet of the network has the address."""

    template = "IP address {ip_address} is not a valid IP for any of the subnets on the specified network."


class SecurityGroupInvalidPortRange(Invalid):
    """The port range of a rule is upside down or half given."""

    template = "Invalid port range of a security group rule: {reason}"


class OverlappingAllocationPools(Conflict):
    """Two pools share addresses."""

    template = "Found overlapping allocation pools: {first} {second} for subnet {cidr}."


class GatewayConflictWithAllocationPools(Conflict):
    """The gateway would be handed out."""

    template = "Gateway ip {ip_address} conflicts with allocation pool {pool}."


class GatewayIpInUse(Conflict):
    """A router interface has the gateway address."""

    template = "Current gateway ip {ip_address} already in use by port {port_id}. Unable to update."


class IpAddressInUse(Conflict):
    """A port has the address."""

    template = "Unable to complete operation for network {network_id}. The IP address {ip_address} is in use."


class IpAddressAlreadyAllocated(Conflict):
    """A port has the address in this subnet."""

    template = "IP address {ip_address} already allocated in subnet {subnet_id}"


class IpAddressGenerationFailure(Conflict):
    """All addresses are taken."""

    template = "No more IP addresses available on network {network_id}."


class MacAddressInUse(Conflict):
    """A port on the network has the MAC address."""

    template = "Unable to complete operation for network {network_id}. The mac address {mac} is in use."


class NetworkInUse(Conflict):
    """Ports are left on the network."""

    template = "Unable to complete operation on network {network_id}. There are one or more ports still in use on it."


class SubnetInUse(Conflict):
    """Ports have addresses from the subnet."""

    template = "Unable to complete operation on subnet {subnet_id}: One or more ports have an IP allocation from it."


class InvalidSharedSetting(Conflict):
    """Other projects use the network."""

    template = "Unable to reconfigure sharing settings for network {network}. Multiple tenants are using it."


class ServicePortInUse(Conflict):
    """A router or a floating IP owns the port."""

    template = "Port {port_id} cannot be deleted directly via the port API: it belongs to {owner}."


class PortBound(Conflict):
    """A bound port keeps its MAC address."""

    template = "Unable to complete operation on port {port_id}, port is already bound."


class PortSecurityAndIPRequiredForSecurityGroups(Invalid):
    """A new port without port security cannot have groups."""

    template = "Port security must be enabled and port must have an IP address in order to use security groups."


class PortSecurityPortHasSecurityGroup(Conflict):
    """Security groups need port security."""

    template = "Port has security group associated. Cannot disable port security or IP address until it is removed."


class AddressPairAndPortSecurityRequired(Conflict):
    """Address pairs need port security."""

    template = "Port Security must be enabled in order to have allowed address pairs on a port."


class RouterInUse(Conflict):
    """Interfaces are left on the router."""

    template = "Router {router_id} still has ports"


class RouterInterfaceInUseByFloatingIP(Conflict):
    """A floating IP leads through the interface."""

    template = (
        "Router interface for subnet {subnet_id} on router {router_id} cannot be deleted, "
        "as it is required by one or more floating IPs."
    )


class RouterExternalGatewayInUseByFloatingIp(Conflict):
    """A floating IP leads through the gateway."""

    template = "Gateway cannot be updated for router {router_id}, since it is required by one or more floating IPs."


class PortInUse(Conflict):
    """Another device has the port."""

    template = "Unable to complete operation on port {port_id}. Port already has an attached device {device_id}."


class FloatingIPPortAlreadyAssociated(Conflict):
    """The fixed address has a floating IP already."""

    template = "Cannot associate floating IP {address} with port {port_id}: its address {fixed_ip} already has one."


class SecurityGroupInUse(Conflict):
    """Ports have the group."""

    template = "Security Group {id} in use."


class SecurityGroupCannotRemoveDefault(Conflict):
    """The default group stays."""

    template = "Insufficient rights for removing default security group."


class SecurityGroupDefaultAlreadyExists(Conflict):
    """There is one default group per project."""

    template = "Default security group already exists."


class SecurityGroupRuleExists(Conflict):
    """The group has the rule."""

    template = "Security group rule already exists. Rule id is {rule_id}."


class AutoAllocationFailure(Conflict):
    """networks=auto cannot be served."""

    template = "Deployment error: {reason}."


class OverQuota(Conflict):
    """A quota would be exceeded; Neutron answers 409 where others say 403."""

    template = "Quota exceeded for resources: ['{resource}']."


class PolicyNotAuthorized(errors.Forbidden):
    """The caller's roles do not allow it."""

    template = "{action} is disallowed by policy"


class PlumbingFailed(Unavailable):
    """A host program refused."""

    template = "The lab could not set up networking on this host: {reason}"


NOT_FOUND: dict[str, type[NotFound]] = {
    "network": NetworkNotFound,
    "subnet": SubnetNotFound,
    "port": PortNotFound,
    "router": RouterNotFound,
    "floatingip": FloatingIPNotFound,
    "security_group": SecurityGroupNotFound,
    "security_group_rule": SecurityGroupRuleNotFound,
}
