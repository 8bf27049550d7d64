"""Virtual hardware that only some hosts offer, as resources and traits: pinned CPUs, TPM, encryption, firmware."""

from typing import Any

from kilonova.scheduling.errors import BadExtraSpec
from kilonova.scheduling.prefilters.query import CandidateQuery
from kilonova.scheduling.request import ServerRequest

_ENCRYPTION_TRAITS = {
    "amd-sev": "HW_CPU_X86_AMD_SEV",
    "amd-sev-es": "HW_CPU_X86_AMD_SEV_ES",
    "amd-sev-snp": "HW_CPU_X86_AMD_SEV_SNP",
    "intel-tdx": "HW_CPU_X86_INTEL_TDX",
}
_ADDRESS_TRAITS = {"passthrough": "COMPUTE_ADDRESS_SPACE_PASSTHROUGH", "emulate": "COMPUTE_ADDRESS_SPACE_EMULATED"}
_TPM_VERSIONS = {"1.2": "COMPUTE_SECURITY_TPM_1_2", "2.0": "COMPUTE_SECURITY_TPM_2_0"}
_TPM_MODELS = {"tpm-tis": "COMPUTE_SECURITY_TPM_TIS", "tpm-crb": "COMPUTE_SECURITY_TPM_CRB"}
_TRUE = frozenset({"1", "t", "true", "on", "y", "yes"})


def add_hardware(query: CandidateQuery, request: ServerRequest) -> None:
    """Everything of this file. Raises BadExtraSpec for words that do not exist."""
    _add_cpus(query, request)
    _add_memory(query, request)
    _add_tpm(query, request)
    if truth(request.image_properties.get("hw_firmware_stateless")):
        query.root.require("COMPUTE_SECURITY_STATELESS_FIRMWARE")
    if "required" in (request.flavor.extra_specs.get("os:secure_boot"), request.image_properties.get("os_secure_boot")):
        query.root.require("COMPUTE_SECURITY_UEFI_SECURE_BOOT")


def truth(value: Any) -> bool:
    """Whether an extra spec or image property says yes."""
    return str(value).strip().lower() in _TRUE


def spec(request: ServerRequest, name: str) -> str | None:
    """A setting that flavor (``hw:name``) and image (``hw_name``) both may hold; the flavor's word counts first."""
    value = request.flavor.extra_specs.get(f"hw:{name}", request.image_properties.get(f"hw_{name}"))
    return None if value is None else str(value)


def tpm_version(request: ServerRequest) -> str | None:
    """Version of the emulated TPM, None without one; a model alone means nothing."""
    return spec(request, "tpm_version")


def _add_cpus(query: CandidateQuery, request: ServerRequest) -> None:
    """Pinned vCPUs are PCPU, the others VCPU; the emulator's own threads take one more when isolated."""
    policy = spec(request, "cpu_policy")
    vcpus = request.flavor.vcpus
    pinned = 0
    if policy == "dedicated":
        pinned = vcpus
        if request.flavor.extra_specs.get("hw:emulator_threads_policy") == "isolate":
            pinned, vcpus = pinned + 1, vcpus + 1
    elif policy == "mixed":
        pinned = _pinned(request)
    if pinned:
        query.main.resources.update(PCPU=pinned, VCPU=vcpus - pinned)
    thread_policy = spec(request, "cpu_thread_policy")
    if thread_policy == "isolate":
        query.main.forbid("HW_CPU_HYPERTHREADING")
    elif thread_policy == "require":
        query.main.require("HW_CPU_HYPERTHREADING")


def _pinned(request: ServerRequest) -> int:
    """How many vCPUs of a mixed server the masks pin."""
    mask = request.flavor.extra_specs.get("hw:cpu_dedicated_mask") or spec(request, "cpu_realtime_mask")
    if mask is None:
        raise BadExtraSpec(value="mixed", key="hw:cpu_policy", reason="needs hw:cpu_dedicated_mask")
    included: set[int] = set()
    excluded: set[int] = set()
    for part in mask.split(","):
        text = part.strip()
        (excluded if text.startswith("^") else included).update(_range(text.removeprefix("^"), mask))
    everything = set(range(request.flavor.vcpus))
    chosen = (included or everything) - excluded
    return len(chosen & everything)


def _range(text: str, mask: str) -> range:
    first, _, last = text.partition("-")
    try:
        return range(int(first), int(last or first) + 1)
    except ValueError as error:
        raise BadExtraSpec(value=mask, key="hw:cpu_dedicated_mask", reason="not a list of vCPUs like 0-3,^1") from error


def _add_memory(query: CandidateQuery, request: ServerRequest) -> None:
    if truth(spec(request, "mem_encryption")):
        model = spec(request, "mem_encryption_model") or "amd-sev"
        if model not in _ENCRYPTION_TRAITS:
            raise BadExtraSpec(
                value=model, key="hw:mem_encryption_model", reason=f"one of {sorted(_ENCRYPTION_TRAITS)}"
            )
        query.main.resources["MEM_ENCRYPTION_CONTEXT"] = 1
        query.main.require(_ENCRYPTION_TRAITS[model])
    for label in filter(None, request.flavor.extra_specs.get("hw:pmem", "").split(",")):
        name = f"CUSTOM_PMEM_NAMESPACE_{label.strip().upper()}"
        query.main.resources[name] = query.main.resources.get(name, 0) + 1
    mode = spec(request, "maxphysaddr_mode")
    if mode is not None:
        if mode not in _ADDRESS_TRAITS:
            raise BadExtraSpec(value=mode, key="hw:maxphysaddr_mode", reason=f"one of {sorted(_ADDRESS_TRAITS)}")
        query.root.require(_ADDRESS_TRAITS[mode])


def _add_tpm(query: CandidateQuery, request: ServerRequest) -> None:
    version, model = tpm_version(request), spec(request, "tpm_model")
    if version is None:
        return
    if version not in _TPM_VERSIONS:
        raise BadExtraSpec(value=version, key="hw:tpm_version", reason=f"one of {sorted(_TPM_VERSIONS)}")
    query.root.require(_TPM_VERSIONS[version])
    if model is not None:
        if model not in _TPM_MODELS:
            raise BadExtraSpec(value=model, key="hw:tpm_model", reason=f"one of {sorted(_TPM_MODELS)}")
        query.root.require(_TPM_MODELS[model])
