"""Errors of the binding, as ours."""

import libvirt
import pytest

from kilonova.hypervisor.contracts import HypervisorFailed, HypervisorUnavailable
from kilonova.hypervisor.libvirt.connection import Connection, DomainGone


def broken(code: int, words: str = "it said", domain: int = libvirt.VIR_FROM_QEMU) -> libvirt.libvirtError:
    error = libvirt.libvirtError(words)
    error.err = (code, domain, words, 2, None, None, None, 0, 0)
    return error


@pytest.mark.parametrize(
    ("error", "ours", "words"),
    [
        (broken(libvirt.VIR_ERR_NO_DOMAIN), DomainGone, "u1"),
        (broken(libvirt.VIR_ERR_RPC, domain=libvirt.VIR_FROM_RPC), HypervisorUnavailable, "it said"),
        (broken(libvirt.VIR_ERR_OPERATION_FAILED), HypervisorFailed, r"^migrate failed on host1: it said$"),
        (broken(libvirt.VIR_ERR_MIGRATE_UNSAFE, "Unsafe"), HypervisorFailed, "Unsafe; instances_path is one directory"),
    ],
)
def test_errors_are_told_with_what_to_do(error: libvirt.libvirtError, ours: type[Exception], words: str) -> None:
    with pytest.raises(ours, match=words), Connection("test:///default", "host1").errors("migrate", "u1"):
        raise error
