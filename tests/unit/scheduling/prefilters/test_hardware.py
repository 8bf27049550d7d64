import pytest

from kilonova.scheduling.errors import BadExtraSpec
from kilonova.scheduling.prefilters.hardware import add_hardware
from kilonova.scheduling.prefilters.query import CandidateQuery
from kilonova.scheduling.request import FlavorFacts, ImageFacts, ServerRequest


def asked(specs: dict[str, str], properties: dict[str, object] | None = None) -> list[tuple[str, str]]:
    query = CandidateQuery()
    query.main.resources["VCPU"] = 4
    request = ServerRequest(
        ("s",), "p", "u", FlavorFacts("m1", 4, 512, extra_specs=specs), image=ImageFacts(properties=properties or {})
    )
    add_hardware(query, request)
    return query.pairs()


PLAIN = ("resources", "VCPU:4")


@pytest.mark.parametrize(
    ("specs", "properties", "expected"),
    [
        ({}, {}, [PLAIN]),
        ({"hw:cpu_policy": "shared"}, {}, [PLAIN]),
        ({"hw:cpu_policy": "dedicated"}, {}, [("resources", "PCPU:4")]),
        ({}, {"hw_cpu_policy": "dedicated"}, [("resources", "PCPU:4")]),
        (
            {"hw:cpu_policy": "dedicated", "hw:emulator_threads_policy": "isolate"},
            {},
            [("resources", "PCPU:5")],
        ),
        ({"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "0,1"}, {}, [("resources", "PCPU:2,VCPU:2")]),
        ({"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "^0"}, {}, [("resources", "PCPU:3,VCPU:1")]),
        ({"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "0-2,^1"}, {}, [("resources", "PCPU:2,VCPU:2")]),
        ({"hw:cpu_policy": "mixed", "hw:cpu_realtime_mask": "^0-2"}, {}, [("resources", "PCPU:1,VCPU:3")]),
        ({"hw:cpu_thread_policy": "isolate"}, {}, [PLAIN, ("required", "!HW_CPU_HYPERTHREADING")]),
        ({"hw:cpu_thread_policy": "require"}, {}, [PLAIN, ("required", "HW_CPU_HYPERTHREADING")]),
        (
            {"hw:mem_encryption": "true"},
            {},
            [("resources", "MEM_ENCRYPTION_CONTEXT:1,VCPU:4"), ("required", "HW_CPU_X86_AMD_SEV")],
        ),
        (
            {"hw:mem_encryption": "yes", "hw:mem_encryption_model": "amd-sev-es"},
            {},
            [("resources", "MEM_ENCRYPTION_CONTEXT:1,VCPU:4"), ("required", "HW_CPU_X86_AMD_SEV_ES")],
        ),
        ({}, {"hw_mem_encryption": False}, [PLAIN]),
        (
            {"hw:pmem": "6GB,6GB,small"},
            {},
            [("resources", "CUSTOM_PMEM_NAMESPACE_6GB:2,CUSTOM_PMEM_NAMESPACE_SMALL:1,VCPU:4")],
        ),
        ({"hw:maxphysaddr_mode": "emulate"}, {}, [PLAIN, ("root_required", "COMPUTE_ADDRESS_SPACE_EMULATED")]),
        (
            {"hw:tpm_version": "2.0", "hw:tpm_model": "tpm-crb"},
            {},
            [PLAIN, ("root_required", "COMPUTE_SECURITY_TPM_2_0,COMPUTE_SECURITY_TPM_CRB")],
        ),
        ({"hw:tpm_model": "tpm-crb"}, {}, [PLAIN]),
        ({}, {"hw_firmware_stateless": "true"}, [PLAIN, ("root_required", "COMPUTE_SECURITY_STATELESS_FIRMWARE")]),
        ({"os:secure_boot": "required"}, {}, [PLAIN, ("root_required", "COMPUTE_SECURITY_UEFI_SECURE_BOOT")]),
        ({}, {"os_secure_boot": "optional"}, [PLAIN]),
    ],
)
def test_hardware_becomes_resources_and_traits(
    specs: dict[str, str], properties: dict[str, object], expected: list[tuple[str, str]]
) -> None:
    assert asked(specs, properties) == expected


@pytest.mark.parametrize(
    "specs",
    [
        {"hw:cpu_policy": "mixed"},
        {"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "a-b"},
        {"hw:mem_encryption": "1", "hw:mem_encryption_model": "rot13"},
        {"hw:maxphysaddr_mode": "guess"},
        {"hw:tpm_version": "3"},
        {"hw:tpm_version": "2.0", "hw:tpm_model": "tpm-x"},
    ],
)
def test_unknown_words_are_named(specs: dict[str, str]) -> None:
    with pytest.raises(BadExtraSpec, match="hw:"):
        asked(specs)
