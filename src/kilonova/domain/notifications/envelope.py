"""The form of a versioned notification's payload: a name, a version, and data. Facts: the notification samples."""

import traceback
from collections.abc import Mapping
from typing import Any

_VERSIONS = {
    "AggregatePayload": "1.1",
    "AggregateCachePayload": "1.0",
    "BlockDevicePayload": "1.0",
    "ComputeTaskPayload": "1.0",
    "ExceptionPayload": "1.1",
    "FlavorPayload": "1.4",
    "ImageMetaPayload": "1.0",
    "ImageMetaPropsPayload": "1.20",
    "InstanceActionPayload": "1.9",
    "InstanceActionRebuildPayload": "1.10",
    "InstanceActionRescuePayload": "1.4",
    "InstanceActionResizePrepPayload": "1.4",
    "InstanceActionSharePayload": "1.0",
    "InstanceActionSnapshotPayload": "1.10",
    "InstanceActionVolumePayload": "1.7",
    "InstanceActionVolumeSwapPayload": "1.9",
    "InstanceCreatePayload": "1.13",
    "InstanceExistsPayload": "2.1",
    "InstanceStateUpdatePayload": "1.0",
    "InstanceUpdatePayload": "2.1",
    "AuditPeriodPayload": "1.0",
    "IpPayload": "1.0",
    "KeypairPayload": "1.0",
    "LibvirtErrorPayload": "1.0",
    "MetricPayload": "1.0",
    "MetricsPayload": "1.0",
    "RequestSpecPayload": "1.1",
    "ServerGroupPayload": "1.1",
    "ServiceStatusPayload": "1.1",
    "VolumeUsagePayload": "1.0",
}


def wrapped(name: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """The payload ``name`` with its data."""
    return {
        "nova_object.name": name,
        "nova_object.namespace": "nova",
        "nova_object.version": _VERSIONS[name],
        "nova_object.data": dict(data),
    }


def exception(error: BaseException, words: str = "") -> dict[str, Any]:
    """A failure and where it came from; ``words`` instead of the error's own.

    Of what led to it only the places are told: messages of other errors may have what is nobody's business.
    """
    frames = traceback.extract_tb(error.__traceback__)
    data = {
        "exception": type(error).__name__,
        "exception_message": words or str(error),
        "function_name": frames[-1].name if frames else "",
        "module_name": type(error).__module__,
        "traceback": "".join(frames.format()),
    }
    return wrapped("ExceptionPayload", data)
