"""Looking into running guests, and reaching the system inside."""

from kilonova.hypervisor.contracts import CpuUse, Diagnostics, DiskUse, NicUse, NoGuestAgent
from kilonova.hypervisor.libvirt.builders.consoles import AGENT
from kilonova.hypervisor.libvirt.connection import LiveDomain
from kilonova.hypervisor.libvirt.ground import Ground
from kilonova.hypervisor.libvirt.xml import domain as xml
from kilonova.hypervisor.libvirt.xml.tree import read
from kilonova.hypervisor.transitions import must_act

_KIB_PER_MIB = 1024


class InsideView(Ground):
    """Implements ``contracts.Inside``."""

    def diagnostics(self, uuid: str) -> Diagnostics:
        domain = self.need(uuid)
        power = domain.power()
        must_act("diagnostics", uuid, power)
        devices = read(xml.Domain, domain.document()).devices
        memory = domain.memory_stats()
        known = {"unused", "available"} <= memory.keys()
        return Diagnostics(
            driver="libvirt",
            hypervisor=self.options.libvirt.virt_type,
            power=power,
            memory_max_mb=domain.max_memory_kib() // _KIB_PER_MIB,
            memory_used_mb=(memory["available"] - memory["unused"]) // _KIB_PER_MIB if known else None,
            cpus=tuple(CpuUse(id=number, time=time) for number, time in domain.cpu_times()),
            disks=tuple(_disk(domain, disk) for disk in devices.disks),
            nics=tuple(_nic(domain, nic) for nic in devices.interfaces if nic.target),
            memory=memory,
        )

    def inject_nmi(self, uuid: str) -> None:
        domain = self.need(uuid)
        must_act("inject_nmi", uuid, domain.power())
        domain.inject_nmi()

    def set_password(self, uuid: str, user: str, password: str) -> None:
        domain = self.need(uuid)
        must_act("set_password", uuid, domain.power())
        channels = read(xml.Domain, domain.document()).devices.channels
        if not any(channel.target and channel.target.name == AGENT for channel in channels):
            raise NoGuestAgent(uuid=uuid)
        domain.set_password(user, password)


def _disk(domain: LiveDomain, disk: xml.Disk) -> DiskUse:
    read_requests, read_bytes, write_requests, write_bytes, errors = domain.block_stats(disk.target.dev)
    return DiskUse(
        device=disk.target.dev,
        volume_id=disk.serial,
        read_bytes=read_bytes,
        read_requests=read_requests,
        write_bytes=write_bytes,
        write_requests=write_requests,
        errors=errors if errors >= 0 else None,
    )


def _nic(domain: LiveDomain, nic: xml.Interface) -> NicUse:
    device = nic.target.dev if nic.target else ""
    rx, rx_packets, rx_errors, rx_drop, tx, tx_packets, tx_errors, tx_drop = domain.interface_stats(device)
    return NicUse(
        device=device,
        mac=nic.mac.address if nic.mac else "",
        rx_octets=rx,
        rx_errors=rx_errors,
        rx_drop=rx_drop,
        rx_packets=rx_packets,
        tx_octets=tx,
        tx_errors=tx_errors,
        tx_drop=tx_drop,
        tx_packets=tx_packets,
    )
