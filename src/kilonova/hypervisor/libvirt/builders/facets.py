"""All facets of a guest, in order."""

from collections.abc import Callable

from kilonova.hypervisor.libvirt.builders.boot import boot
from kilonova.hypervisor.libvirt.builders.consoles import channels, graphics, serial
from kilonova.hypervisor.libvirt.builders.cpu import cpu
from kilonova.hypervisor.libvirt.builders.disks import disks
from kilonova.hypervisor.libvirt.builders.features import clock, features
from kilonova.hypervisor.libvirt.builders.identity import identity
from kilonova.hypervisor.libvirt.builders.memory import memory
from kilonova.hypervisor.libvirt.builders.nics import nics
from kilonova.hypervisor.libvirt.builders.plan import Plan
from kilonova.hypervisor.libvirt.builders.rng import rng
from kilonova.hypervisor.libvirt.builders.shares import shares
from kilonova.hypervisor.libvirt.xml.domain import Domain

FACETS: tuple[Callable[[Plan, Domain], Domain], ...] = (
    identity,
    memory,
    cpu,
    boot,
    features,
    clock,
    disks,
    nics,
    serial,
    channels,
    graphics,
    rng,
    shares,
)


def build(plan: Plan) -> Domain:
    """The whole domain; pure. Raises HypervisorFailed for what cannot be expressed."""
    domain = Domain(type=plan.options.libvirt.virt_type)
    for facet in FACETS:
        domain = facet(plan, domain)
    return domain
