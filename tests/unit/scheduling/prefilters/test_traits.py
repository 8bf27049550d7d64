from typing import Any

import pytest

from kilonova.scheduling.errors import BadExtraSpec
from kilonova.scheduling.options import SchedulerOptions
from kilonova.scheduling.prefilters import traits
from kilonova.scheduling.prefilters.facts import DeploymentFacts
from kilonova.scheduling.prefilters.query import CandidateQuery
from kilonova.scheduling.request import FlavorFacts, ImageFacts, ServerRequest


def required(
    prefilter: Any,
    specs: dict[str, str] | None = None,
    image: ImageFacts | None = None,
    *,
    facts: DeploymentFacts | None = None,
    options: SchedulerOptions | None = None,
    **more: Any,
) -> str:
    query = CandidateQuery()
    request = ServerRequest(("s",), "p", "u", FlavorFacts("m1", 1, 1, extra_specs=specs or {}), image, **more)
    prefilter(query, request, facts or DeploymentFacts(), options or SchedulerOptions())
    return dict(query.pairs()).get("root_required", "")


def test_disabled_hosts_are_forbidden() -> None:
    assert required(traits.compute_status) == "!COMPUTE_STATUS_DISABLED"


@pytest.mark.parametrize(
    ("image", "on", "from_volume", "trait"),
    [
        (ImageFacts(disk_format="qcow2"), True, False, "COMPUTE_IMAGE_TYPE_QCOW2"),
        (ImageFacts(disk_format="qcow2"), False, False, ""),
        (ImageFacts(disk_format="qcow2"), True, True, ""),
        (ImageFacts(disk_format="tape"), True, False, ""),
        (None, True, False, ""),
    ],
)
def test_the_disk_format_is_a_trait(image: ImageFacts | None, on: bool, from_volume: bool, trait: str) -> None:
    options = SchedulerOptions(query_placement_for_image_type_support=on)
    assert (
        required(traits.require_image_type_support, None, image, options=options, boot_from_volume=from_volume) == trait
    )


def test_image_devices_are_traits_where_one_exists() -> None:
    properties = {"hw_disk_bus": "virtio", "hw_vif_model": "spapr-vlan", "hw_video_model": "hologram", "os_type": "x"}
    image = ImageFacts(properties=properties)
    on = SchedulerOptions(image_metadata_prefilter=True)
    assert required(traits.transform_image_metadata, None, image) == ""
    assert (
        required(traits.transform_image_metadata, None, image, options=on)
        == "COMPUTE_NET_VIF_MODEL_SPAPR_VLAN,COMPUTE_STORAGE_BUS_VIRTIO"
    )


@pytest.mark.parametrize(
    ("prefilter", "specs", "properties", "trait"),
    [
        (traits.accelerators, {"accel:device_profile": "fpga"}, {}, "COMPUTE_ACCELERATORS"),
        (traits.accelerators, {}, {}, ""),
        (traits.packed_virtqueue, {"hw:virtio_packed_ring": "true"}, {}, "COMPUTE_NET_VIRTIO_PACKED"),
        (traits.packed_virtqueue, {}, {"hw_virtio_packed_ring": True}, "COMPUTE_NET_VIRTIO_PACKED"),
        (traits.packed_virtqueue, {"hw:virtio_packed_ring": "no"}, {}, ""),
        (traits.ephemeral_encryption, {"hw:ephemeral_encryption": "1"}, {}, "COMPUTE_EPHEMERAL_ENCRYPTION"),
        (
            traits.ephemeral_encryption,
            {"hw:ephemeral_encryption": "1"},
            {"hw_ephemeral_encryption_format": "luks"},
            "COMPUTE_EPHEMERAL_ENCRYPTION,COMPUTE_EPHEMERAL_ENCRYPTION_LUKS",
        ),
        (traits.ephemeral_encryption, {"hw:ephemeral_encryption_format": "luks"}, {}, ""),
        (traits.virtio_sound, {"hw:sound_model": "virtio"}, {}, "COMPUTE_SOUND_MODEL_VIRTIO"),
        (traits.virtio_sound, {}, {"hw_sound_model": "ich9"}, ""),
        (traits.tpm_secret_security, {"hw:tpm_version": "2.0"}, {}, "COMPUTE_SECURITY_TPM_SECRET_SECURITY_USER"),
        (
            traits.tpm_secret_security,
            {"hw:tpm_version": "2.0", "hw:tpm_secret_security": "host"},
            {},
            "COMPUTE_SECURITY_TPM_SECRET_SECURITY_HOST",
        ),
        (traits.tpm_secret_security, {"hw:tpm_secret_security": "host"}, {}, ""),
        (traits.owner_nova, {}, {}, ""),
        (traits.remote_managed_ports, {}, {}, ""),
    ],
)
def test_features_are_traits(prefilter: Any, specs: dict[str, str], properties: dict[str, Any], trait: str) -> None:
    assert required(prefilter, specs, ImageFacts(properties=properties)) == trait


def test_traits_from_ports_and_deployment() -> None:
    assert required(traits.remote_managed_ports, port_vnic_types=("normal", "remote-managed")) == (
        "COMPUTE_REMOTE_MANAGED_PORTS"
    )
    assert required(traits.owner_nova, facts=DeploymentFacts(computes_report_owner=True)) == "OWNER_NOVA"


@pytest.mark.parametrize(
    ("prefilter", "specs"),
    [
        (traits.tpm_secret_security, {"hw:tpm_version": "2.0", "hw:tpm_secret_security": "nobody"}),
        (traits.ephemeral_encryption, {"hw:ephemeral_encryption": "1", "hw:ephemeral_encryption_format": "rot13"}),
    ],
)
def test_unknown_words_are_named(prefilter: Any, specs: dict[str, str]) -> None:
    with pytest.raises(BadExtraSpec, match="one of"):
        required(prefilter, specs)
