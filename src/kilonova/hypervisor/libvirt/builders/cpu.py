"""Virtual CPUs: number, model, topology, and the CPU shares of quota extra specs."""

from dataclasses import replace

from kilonova.hypervisor.libvirt.builders.plan import Plan
from kilonova.hypervisor.libvirt.options import DriverOptions
from kilonova.hypervisor.libvirt.xml import domain as xml


def _flags(options: DriverOptions) -> tuple[xml.CpuFeature, ...]:
    return tuple(
        xml.CpuFeature(policy="disable" if flag.startswith("-") else "require", name=flag.lstrip("+-").lower())
        for flag in options.libvirt.cpu_model_extra_flags
    )


def model(options: DriverOptions) -> xml.Cpu:
    """The CPU every guest of this host gets, without topology."""
    mode = options.cpu_mode
    if mode == "none":
        return xml.Cpu()
    if mode == "custom":
        name = options.libvirt.cpu_models[0]
        chosen = xml.CpuModel(value=name, fallback="forbid")
        return xml.Cpu(mode="custom", match="exact", model=chosen, features=_flags(options))
    # QEMU's emulator has no host CPU to pass through; its nearest equivalent is everything it can emulate.
    emulated = options.libvirt.virt_type == "qemu" and mode == "host-passthrough"
    return xml.Cpu(mode="maximum" if emulated else mode, features=_flags(options))


def _tune(specs: dict[str, int]) -> xml.CpuTune | None:
    return xml.CpuTune(**specs) if specs else None


def cpu(plan: Plan, domain: xml.Domain) -> xml.Domain:
    """One socket a virtual CPU, as guests with socket licences are the exception that sets extra specs."""
    spec = plan.spec
    quotas = {
        name: int(spec.extra_specs[f"quota:cpu_{name}"])
        for name in ("shares", "period", "quota")
        if f"quota:cpu_{name}" in spec.extra_specs
    }
    topology = xml.CpuTopology(sockets=spec.vcpus, cores=1, threads=1)
    return replace(
        domain,
        vcpu=spec.vcpus,
        cputune=_tune(quotas),
        cpu=replace(model(plan.options), topology=topology),
    )
