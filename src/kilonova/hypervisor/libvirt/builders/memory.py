"""Memory and its balloon."""

from dataclasses import replace

from kilonova.hypervisor.libvirt.builders.plan import Plan
from kilonova.hypervisor.libvirt.xml import domain as xml


def memory(plan: Plan, domain: xml.Domain) -> xml.Domain:
    """The balloon also reports what the guest uses, every ``mem_stats_period_seconds``."""
    period = plan.options.libvirt.mem_stats_period_seconds
    balloon = xml.Balloon(model="virtio", stats=xml.Stats(period=period) if period > 0 else None)
    return replace(
        domain,
        memory=xml.Memory(value=plan.spec.memory_mb * 1024),
        devices=replace(domain.devices, balloon=balloon),
    )
