"""ACPI and friends, the clock, and the emulator's translation cache."""

from dataclasses import replace

from kilonova.hypervisor.libvirt.builders.plan import Plan
from kilonova.hypervisor.libvirt.xml import domain as xml


def features(plan: Plan, domain: xml.Domain) -> xml.Domain:
    """ACPI is what makes a polite shutdown possible; without UEFI, ARM's ``virt`` machine boots without it."""
    x86 = plan.arch in {"x86_64", "i686"}
    uefi = plan.image_property("hw_firmware_type", "bios") == "uefi"
    size = plan.options.libvirt.tb_cache_size
    emulated = plan.options.libvirt.virt_type == "qemu"
    cache = xml.Tcg(tb_cache=xml.TbCache(value=size)) if size and emulated else None
    return replace(domain, features=xml.Features(acpi=x86 or uefi, apic=x86, tcg=cache))


def clock(plan: Plan, domain: xml.Domain) -> xml.Domain:
    """UTC, or local time for Windows; lost ticks are caught up as KVM guests expect."""
    windows = plan.image_property("os_type", "linux") == "windows"
    timers: tuple[xml.Timer, ...] = ()
    if plan.arch in {"x86_64", "i686"}:
        timers = (
            xml.Timer(name="pit", tickpolicy="delay"),
            xml.Timer(name="rtc", tickpolicy="catchup"),
            xml.Timer(name="hpet", present=False),
        )
    return replace(domain, clock=xml.Clock(offset="localtime" if windows else "utc", timers=timers))
