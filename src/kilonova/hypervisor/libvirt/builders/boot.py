"""Firmware, machine type, boot order or a kernel given directly; what happens on power off and crash."""

from dataclasses import replace

from kilonova.hypervisor.libvirt.builders.plan import Plan
from kilonova.hypervisor.libvirt.xml import domain as xml

_DEFAULT_COMMAND_LINE = "root=/dev/vda console=tty0 console=ttyS0"


def boot(plan: Plan, domain: xml.Domain) -> xml.Domain:
    """An image with ``kernel_id`` boots that kernel, everything else its own boot loader."""
    x86 = plan.arch in {"x86_64", "i686"}
    command_line = plan.image_property("os_command_line", _DEFAULT_COMMAND_LINE) if plan.kernel else None
    return replace(
        domain,
        os=xml.Os(
            firmware="efi" if plan.image_property("hw_firmware_type", "bios") == "uefi" else None,
            type=xml.OsType(arch=plan.arch, machine=plan.machine),
            kernel=str(plan.kernel) if plan.kernel else None,
            initrd=str(plan.ramdisk) if plan.ramdisk else None,
            cmdline=command_line,
            boot=None if plan.kernel or plan.stable_rescue else xml.Boot(dev="hd"),
            smbios=xml.Smbios() if x86 else None,
        ),
        on_poweroff="destroy",
        on_reboot="restart",
        on_crash="destroy",
    )
