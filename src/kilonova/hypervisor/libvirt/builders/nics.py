"""Network interfaces. libvirt makes the tap device and puts it on its bridge."""

from dataclasses import replace

from kilonova.hypervisor.contracts import HypervisorFailed, Nic
from kilonova.hypervisor.libvirt.builders.plan import Plan
from kilonova.hypervisor.libvirt.xml import domain as xml


def _bridge(nic: Nic) -> xml.Interface:
    return xml.Interface(type="bridge", source=xml.NicSource(bridge=nic.bridge))


def _ovs(nic: Nic) -> xml.Interface:
    port = xml.VirtualPort(type="openvswitch", parameters=xml.VirtualPortParameters(interface_id=nic.port_id))
    bridge = xml.NicSource(bridge=nic.bridge or "br-int")
    return xml.Interface(type="bridge", source=bridge, virtualport=port)


def _tap(_nic: Nic) -> xml.Interface:
    return xml.Interface(type="ethernet")


_KINDS = {"bridge": _bridge, "ovs": _ovs, "tap": _tap}


def interface(plan: Plan, nic: Nic) -> xml.Interface:
    """One NIC. Raises HypervisorFailed for a kind of port that libvirt alone cannot plug."""
    make = _KINDS.get(nic.vif_type)
    if make is None or (nic.vif_type == "bridge" and not nic.bridge):
        reason = f"port {nic.port_id}: cannot plug vif_type {nic.vif_type} (bridge {nic.bridge})"
        raise HypervisorFailed(call="plug", host=plan.options.host, reason=reason)
    options = plan.options.libvirt
    model = plan.image_property("hw_vif_model", "virtio")
    sized = model == "virtio" and (options.rx_queue_size or options.tx_queue_size)
    queues = xml.NicDriver(rx_queue_size=options.rx_queue_size, tx_queue_size=options.tx_queue_size)
    return replace(
        make(nic),
        mac=xml.Mac(address=nic.mac),
        target=xml.NicTarget(dev=nic.devname),
        model=xml.NicModel(type=model),
        driver=queues if sized else None,
        mtu=xml.Mtu(size=nic.mtu) if nic.mtu else None,
    )


def nics(plan: Plan, domain: xml.Domain) -> xml.Domain:
    """In the order of the request, as the guest numbers them."""
    interfaces = tuple(interface(plan, nic) for nic in plan.spec.nics)
    return replace(domain, devices=replace(domain.devices, interfaces=interfaces))
