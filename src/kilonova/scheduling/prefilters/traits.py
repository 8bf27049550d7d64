"""Prefilters that require or forbid traits of the compute node."""

import os_traits

from kilonova.scheduling.errors import BadExtraSpec
from kilonova.scheduling.options import SchedulerOptions
from kilonova.scheduling.prefilters.facts import DeploymentFacts
from kilonova.scheduling.prefilters.hardware import spec, tpm_version, truth
from kilonova.scheduling.prefilters.query import CandidateQuery
from kilonova.scheduling.request import ServerRequest

_STANDARD = frozenset(os_traits.get_traits())
_IMAGE_PROPERTIES = (
    ("hw_architecture", "COMPUTE_ARCH"),
    ("hw_cdrom_bus", "COMPUTE_STORAGE_BUS"),
    ("hw_disk_bus", "COMPUTE_STORAGE_BUS"),
    ("hw_firmware_type", "COMPUTE_FIRMWARE"),
    ("hw_floppy_bus", "COMPUTE_STORAGE_BUS"),
    ("hw_rescue_bus", "COMPUTE_STORAGE_BUS"),
    ("hw_sound_model", "COMPUTE_SOUND_MODEL"),
    ("hw_usb_model", "COMPUTE_USB_MODEL"),
    ("hw_video_model", "COMPUTE_GRAPHICS_MODEL"),
    ("hw_vif_model", "COMPUTE_NET_VIF_MODEL"),
    ("hw_viommu_model", "COMPUTE_VIOMMU_MODEL"),
)
_SECRET_TRAITS = {
    level: f"COMPUTE_SECURITY_TPM_SECRET_SECURITY_{level.upper()}" for level in ("user", "host", "deployment")
}
_ENCRYPTION_FORMATS = ("plain", "luks", "luksv2")


def compute_status(
    query: CandidateQuery, request: ServerRequest, facts: DeploymentFacts, options: SchedulerOptions
) -> None:
    """Hosts whose service is disabled never come back from placement."""
    query.root.forbid("COMPUTE_STATUS_DISABLED")


def require_image_type_support(
    query: CandidateQuery, request: ServerRequest, facts: DeploymentFacts, options: SchedulerOptions
) -> None:
    """The host must know the image's disk format; a boot volume has none."""
    if not options.query_placement_for_image_type_support or request.boot_from_volume or request.image is None:
        return
    trait = f"COMPUTE_IMAGE_TYPE_{(request.image.disk_format or '').upper()}"
    if trait in _STANDARD:
        query.root.require(trait)


def transform_image_metadata(
    query: CandidateQuery, request: ServerRequest, facts: DeploymentFacts, options: SchedulerOptions
) -> None:
    """Device models and buses the image names, where a standard trait exists for them."""
    if not options.image_metadata_prefilter:
        return
    for name, prefix in _IMAGE_PROPERTIES:
        value = request.image_properties.get(name)
        trait = f"{prefix}_{str(value).replace('-', '_').upper()}"
        if value is not None and trait in _STANDARD:
            query.root.require(trait)


def accelerators(
    query: CandidateQuery, request: ServerRequest, facts: DeploymentFacts, options: SchedulerOptions
) -> None:
    """A device profile needs a host that can attach accelerators."""
    if "accel:device_profile" in request.flavor.extra_specs:
        query.root.require("COMPUTE_ACCELERATORS")


def packed_virtqueue(
    query: CandidateQuery, request: ServerRequest, facts: DeploymentFacts, options: SchedulerOptions
) -> None:
    """hw:virtio_packed_ring or hw_virtio_packed_ring."""
    if truth(spec(request, "virtio_packed_ring")):
        query.root.require("COMPUTE_NET_VIRTIO_PACKED")


def remote_managed_ports(
    query: CandidateQuery, request: ServerRequest, facts: DeploymentFacts, options: SchedulerOptions
) -> None:
    """Ports of vnic type remote-managed (SmartNIC)."""
    if "remote-managed" in request.port_vnic_types:
        query.root.require("COMPUTE_REMOTE_MANAGED_PORTS")


def ephemeral_encryption(
    query: CandidateQuery, request: ServerRequest, facts: DeploymentFacts, options: SchedulerOptions
) -> None:
    """Encrypted local disks, and their format when one is named."""
    if not truth(spec(request, "ephemeral_encryption")):
        return
    query.root.require("COMPUTE_EPHEMERAL_ENCRYPTION")
    form = spec(request, "ephemeral_encryption_format")
    if form is None:
        return
    if form not in _ENCRYPTION_FORMATS:
        raise BadExtraSpec(value=form, key="hw:ephemeral_encryption_format", reason=f"one of {_ENCRYPTION_FORMATS}")
    query.root.require(f"COMPUTE_EPHEMERAL_ENCRYPTION_{form.upper()}")


def virtio_sound(
    query: CandidateQuery, request: ServerRequest, facts: DeploymentFacts, options: SchedulerOptions
) -> None:
    """The virtio sound model needs a recent hypervisor."""
    if spec(request, "sound_model") == "virtio":
        query.root.require("COMPUTE_SOUND_MODEL_VIRTIO")


def tpm_secret_security(
    query: CandidateQuery, request: ServerRequest, facts: DeploymentFacts, options: SchedulerOptions
) -> None:
    """Who can read an emulated TPM's secret; the user alone when the flavor does not say."""
    if tpm_version(request) is None:
        return
    level = request.flavor.extra_specs.get("hw:tpm_secret_security", "user")
    if level not in _SECRET_TRAITS:
        raise BadExtraSpec(value=level, key="hw:tpm_secret_security", reason=f"one of {sorted(_SECRET_TRAITS)}")
    query.root.require(_SECRET_TRAITS[level])


def owner_nova(
    query: CandidateQuery, request: ServerRequest, facts: DeploymentFacts, options: SchedulerOptions
) -> None:
    """Only providers of compute, once all computes mark theirs."""
    if facts.computes_report_owner:
        query.root.require("OWNER_NOVA")
