"""Shares as file systems of the guest: virtiofs, which needs memory that its daemon sees."""

from dataclasses import replace

from kilonova.hypervisor.libvirt.builders.plan import Plan
from kilonova.hypervisor.libvirt.mounts import share_path
from kilonova.hypervisor.libvirt.xml import domain as xml


def shares(plan: Plan, domain: xml.Domain) -> xml.Domain:
    """Nothing for a guest without."""
    if not plan.spec.shares:
        return domain
    found = tuple(
        xml.Filesystem(
            source=xml.Directory(dir=str(share_path(plan.options.mounts, plan.spec.uuid, share.share_id))),
            target=xml.MountTag(dir=share.tag),
        )
        for share in plan.spec.shares
    )
    return replace(domain, memory_backing=xml.MemoryBacking(), devices=replace(domain.devices, filesystems=found))
