from kilonova.hypervisor.libvirt import traits
from kilonova.hypervisor.libvirt.xml import domain as xml
from kilonova.hypervisor.libvirt.xml.host import DomainCapabilities
from kilonova.hypervisor.libvirt.xml.tree import read

CAPABILITIES = read(
    DomainCapabilities,
    """<domainCapabilities><cpu><mode name='host-model' supported='yes'><model>EPYC</model>
<feature policy='require' name='aes'/><feature policy='disable' name='vme'/></mode></cpu><devices>
<disk supported='yes'><enum name='bus'><value>virtio</value><value>ide</value><value>odd</value></enum></disk>
<video supported='yes'><enum name='modelType'><value>vga</value></enum></video></devices></domainCapabilities>""",
)


def test_words_become_traits_and_unknown_ones_are_dropped() -> None:
    found = traits.of_host("x86_64", CAPABILITIES, frozenset({"sse4.2", "aes", "avx512f", "martian"}))
    assert {
        "COMPUTE_NODE",
        "COMPUTE_ARCH_X86_64",
        "COMPUTE_STORAGE_BUS_VIRTIO",
        "COMPUTE_STORAGE_BUS_IDE",
        "COMPUTE_GRAPHICS_MODEL_VGA",
        "COMPUTE_IMAGE_TYPE_QCOW2",
        "COMPUTE_IMAGE_TYPE_VHD",
        "HW_CPU_X86_SSE42",
        "HW_CPU_X86_AESNI",
        "HW_CPU_X86_AVX512F",
    } <= set(found)
    assert not [name for name in found if "MARTIAN" in name or "ODD" in name]
    assert list(found) == sorted(found)


def test_other_architectures_have_no_x86_traits() -> None:
    found = traits.of_host("aarch64", CAPABILITIES, frozenset({"aes"}))
    assert "COMPUTE_ARCH_AARCH64" in found
    assert not [name for name in found if name.startswith("HW_CPU_X86")]


def test_every_name_in_the_table_is_one_os_traits_has() -> None:
    for names in traits._CPU_NAMES.values():
        assert {f"HW_CPU_X86_{name}" for name in names} <= traits._known()


def test_the_guests_cpu_is_named() -> None:
    plain = traits.guest_cpu("x86_64", xml.Cpu(), CAPABILITIES)
    assert plain
    assert plain.model == xml.CpuModel(value="qemu64", fallback="forbid")
    hosts = traits.guest_cpu("x86_64", xml.Cpu(mode="host-model"), CAPABILITIES)
    assert hosts
    assert hosts.model == xml.CpuModel(value="EPYC", fallback="forbid")
    assert [(f.policy, f.name) for f in hosts.features] == [("require", "aes"), ("disable", "vme")]
    assert traits.guest_cpu("aarch64", xml.Cpu(), CAPABILITIES) is None
