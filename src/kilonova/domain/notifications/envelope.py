"""The form of a versioned notification's payload: a name, a version, and data. Facts: the notification samples."""

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
    "RequestSpecPayload": "1.1",
    "ServerGroupPayload": "1.1",
    "ServiceStatusPayload": "1.1",
}


def wrapped(name: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """The payload ``name`` with its data."""
    return {
        "nova_object.name": name,
        "nova_object.namespace": "nova",
        "nova_object.version": _VERSIONS[name],
        "nova_object.data": dict(data),
    }


def exception(words: str, kind: str) -> dict[str, Any]:
    """A failure. The place in the code is not told: consumers show the message."""
    data = {"exception": kind, "exception_message": words, "function_name": "", "module_name": "", "traceback": ""}
    return wrapped("ExceptionPayload", data)
