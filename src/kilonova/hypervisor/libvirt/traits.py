"""Traits of a libvirt host: what its guests can have, in os-traits' names."""

import functools
import re

import os_traits

from kilonova.hypervisor.libvirt.images.inspect import DISK_FORMATS
from kilonova.hypervisor.libvirt.xml import domain as xml
from kilonova.hypervisor.libvirt.xml import host as host_xml

_CPU_NAMES = {
    "aes": ("AESNI",),
    "pclmuldq": ("CLMUL",),
    "pclmulqdq": ("CLMUL",),
    "fma": ("FMA3",),
    "pni": ("SSE3",),
    "sse4.1": ("SSE41",),
    "sse4.2": ("SSE42",),
    "bmi1": ("BMI",),
    "sha-ni": ("SHA",),
    "rtm": ("TSX",),
    "vmx": ("VMX", "INTEL_VMX"),
    "svm": ("SVM", "AMD_SVM"),
    "avx512-vpopcntdq": ("AVX512VPOPCNTDQ",),
    "avx512vbmi2": ("AVX512VBMI2",),
    "amx-bf16": ("AMXBF16",),
    "amx-int8": ("AMXINT8",),
    "amx-tile": ("AMXTILE",),
    "pcid": ("INTEL_PCID",),
    "spec-ctrl": ("INTEL_SPEC_CTRL",),
    "ssbd": ("INTEL_SSBD",),
    "md-clear": ("INTEL_MD_CLEAR",),
    "ibpb": ("AMD_IBPB",),
    "amd-ssbd": ("AMD_SSBD",),
    "virt-ssbd": ("AMD_VIRT_SSBD",),
    "amd-no-ssb": ("AMD_NO_SSB",),
}
"""libvirt's feature name → trait names without their prefix, where upper case alone does not do."""

_ALWAYS = (
    "COMPUTE_NODE",
    "COMPUTE_RESCUE_BFV",
    "COMPUTE_NET_VIF_MODEL_E1000",
    "COMPUTE_NET_VIF_MODEL_RTL8139",
    "COMPUTE_NET_VIF_MODEL_VIRTIO",
)
_DEFAULT_X86_MODEL = "qemu64"


@functools.cache
def _known() -> frozenset[str]:
    return frozenset(os_traits.get_traits())


def _cpu(features: frozenset[str]) -> set[str]:
    found: set[str] = set()
    for feature in features:
        plain = re.sub(r"[^A-Z0-9]", "_", feature.upper())
        found.update(f"HW_CPU_X86_{name}" for name in _CPU_NAMES.get(feature, (plain,)))
    return found


def _enum(enums: tuple[host_xml.Enum, ...], name: str, prefix: str) -> set[str]:
    return {
        prefix + re.sub(r"[^A-Z0-9]", "_", value.value.upper())
        for enum in enums
        if enum.name == name
        for value in enum.values
    }


def of_host(arch: str, capabilities: host_xml.DomainCapabilities, cpu_features: frozenset[str]) -> tuple[str, ...]:
    """Sorted trait names; words of libvirt that os-traits has no name for are left out."""
    found = set(_ALWAYS)
    found.add(f"COMPUTE_ARCH_{arch.upper()}")
    found.update(f"COMPUTE_IMAGE_TYPE_{fmt.upper()}" for fmt in DISK_FORMATS)
    found |= _enum(capabilities.devices.disk.enums, "bus", "COMPUTE_STORAGE_BUS_")
    found |= _enum(capabilities.devices.video.enums, "modelType", "COMPUTE_GRAPHICS_MODEL_")
    if arch in {"x86_64", "i686"}:
        found |= _cpu(cpu_features)
        found.add("COMPUTE_FIRMWARE_BIOS")
    return tuple(sorted(found & _known()))


def guest_cpu(arch: str, cpu: xml.Cpu, capabilities: host_xml.DomainCapabilities) -> xml.Cpu | None:
    """The CPU that guests get, as a document with a named model; None where this cannot be told."""
    if cpu.mode == "custom":
        return cpu
    if cpu.mode is None:
        if arch != "x86_64":
            return None
        named = xml.CpuModel(value=_DEFAULT_X86_MODEL, fallback="forbid")
        return xml.Cpu(mode="custom", match="exact", model=named)
    host = next((mode for mode in capabilities.cpu.modes if mode.name == "host-model"), None)
    if host is None or host.model is None:
        return None
    features = tuple(xml.CpuFeature(policy=item.policy, name=item.name) for item in host.features)
    named = xml.CpuModel(value=host.model.value, fallback="forbid")
    return xml.Cpu(mode="custom", match="exact", model=named, features=features)
