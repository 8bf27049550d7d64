"""The weighers by name, and operators' own weighers by dotted path."""

from kilonova.scheduling.options import ALL_WEIGHERS, FilterOptions
from kilonova.scheduling.plugins import plugins
from kilonova.scheduling.weighers.build_failure import BuildFailureWeigher
from kilonova.scheduling.weighers.contract import Weigher
from kilonova.scheduling.weighers.cpu import CPUWeigher
from kilonova.scheduling.weighers.cross_cell import CrossCellWeigher
from kilonova.scheduling.weighers.disk import DiskWeigher
from kilonova.scheduling.weighers.hypervisor_version import HypervisorVersionWeigher
from kilonova.scheduling.weighers.image_properties import ImagePropertiesWeigher
from kilonova.scheduling.weighers.io_ops import IoOpsWeigher
from kilonova.scheduling.weighers.metrics import MetricsWeigher
from kilonova.scheduling.weighers.num_instances import NumInstancesWeigher
from kilonova.scheduling.weighers.pci import PCIWeigher
from kilonova.scheduling.weighers.ram import RAMWeigher
from kilonova.scheduling.weighers.soft_affinity import ServerGroupSoftAffinityWeigher
from kilonova.scheduling.weighers.soft_anti_affinity import ServerGroupSoftAntiAffinityWeigher

BUILT_IN: dict[str, type[Weigher]] = {
    cls.name: cls
    for cls in (
        RAMWeigher,
        CPUWeigher,
        DiskWeigher,
        HypervisorVersionWeigher,
        NumInstancesWeigher,
        IoOpsWeigher,
        PCIWeigher,
        ServerGroupSoftAffinityWeigher,
        ServerGroupSoftAntiAffinityWeigher,
        BuildFailureWeigher,
        CrossCellWeigher,
        MetricsWeigher,
        ImagePropertiesWeigher,
    )
}


def enabled_weighers(options: FilterOptions) -> list[Weigher]:
    """The weighers in use. Raises BadSchedulerOption naming what is wrong."""
    known = plugins(
        options.weight_classes,
        BUILT_IN,
        Weigher,  # type: ignore[type-abstract]  # plug-ins are its concrete subclasses
        everything=ALL_WEIGHERS,
        option="[filter_scheduler] weight_classes",
    )
    return [cls() for cls in known.values()]
