"""The link to libvirtd, typed and in our own errors. Nothing else in Kilonova imports the libvirt binding.

A broken link (libvirtd restarted) is noticed by the call that meets it; the next one connects anew, and looking
something up is tried again at once. Running guests do not notice. So is a libvirtd that hangs: the link of one that
does not answer keep-alive messages breaks, and connecting is given up after a while.
"""

import contextlib
import functools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

import libvirt

from kilonova.domain.power import PowerState
from kilonova.hypervisor.contracts import AgentSilent, GuestMissing, HypervisorFailed, HypervisorUnavailable
from kilonova.kit.errors import KilonovaError

LOG = logging.getLogger(__name__)
T = TypeVar("T")

_POWER = {
    libvirt.VIR_DOMAIN_RUNNING: PowerState.RUNNING,
    libvirt.VIR_DOMAIN_BLOCKED: PowerState.RUNNING,
    libvirt.VIR_DOMAIN_PAUSED: PowerState.PAUSED,
    libvirt.VIR_DOMAIN_SHUTDOWN: PowerState.RUNNING,  # still going down: its QEMU runs
    libvirt.VIR_DOMAIN_SHUTOFF: PowerState.SHUTDOWN,
    libvirt.VIR_DOMAIN_CRASHED: PowerState.CRASHED,
    libvirt.VIR_DOMAIN_PMSUSPENDED: PowerState.PAUSED,
}
_BROKEN = {libvirt.VIR_ERR_SYSTEM_ERROR, libvirt.VIR_ERR_INTERNAL_ERROR, libvirt.VIR_ERR_RPC}
_BROKEN_IN = {libvirt.VIR_FROM_REMOTE, libvirt.VIR_FROM_RPC}
_NO_CONNECTION = {libvirt.VIR_ERR_NO_CONNECT, libvirt.VIR_ERR_INVALID_CONN}
_FIXES = {
    libvirt.VIR_ERR_MIGRATE_UNSAFE: (
        "instances_path is one directory for both hosts, but of a file system that libvirt does not take for shared "
        "(NFS, CephFS, GlusterFS, GPFS and the like): mount such a one there, or give each host a directory of its own"
    ),
}
"""What to do about errors that do not say it themselves."""
_UNDEFINE_ALL = (
    libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
    | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
)
_ENDED = {
    libvirt.VIR_DOMAIN_EVENT_STOPPED,
    libvirt.VIR_DOMAIN_EVENT_CRASHED,
    libvirt.VIR_DOMAIN_EVENT_SUSPENDED,
    libvirt.VIR_DOMAIN_EVENT_PMSUSPENDED,
}
_JOB_POLL_S = 0.2
_AGENT_S = 10
_SILENCES = 3
"""Keep-alive messages without an answer after which the link is taken for broken."""

libvirt.registerErrorHandler(lambda _context, _error: None, None)  # else every error is also printed


class DomainGone(GuestMissing):
    """libvirt has no such domain, or no longer."""


class BackupUnsupported(KilonovaError):
    """Neither libvirt nor QEMU here can copy a running guest's disk."""

    kind = "unsupported"
    template = "Live backup is not supported: {reason}"


def _is_broken(error: Any) -> bool:
    code, where = error.get_error_code(), error.get_error_domain()
    return code in _NO_CONNECTION or (code in _BROKEN and where in _BROKEN_IN)


def _where(*, live: bool) -> int:
    return int(libvirt.VIR_DOMAIN_AFFECT_LIVE if live else libvirt.VIR_DOMAIN_AFFECT_CONFIG)


def _is_being_unplugged(error: Any) -> bool:
    """QEMU refuses a second request while the guest has not answered the first one; it has no code of its own."""
    return "in the process of unplug" in str(error)


@functools.cache
def _run_events() -> None:
    """Libvirt's own event loop, in a thread for the rest of the process."""
    libvirt.virEventRegisterDefaultImpl()

    def run() -> None:
        while True:
            libvirt.virEventRunDefaultImpl()

    threading.Thread(target=run, name="libvirt-events", daemon=True).start()


class Connection:
    """One connection, made when first needed, shared by all threads (libvirt allows it)."""

    def __init__(self, uri: str, host: str, silence: int = 30) -> None:
        """``silence``: seconds without a sign of life after which libvirtd is taken for hung."""
        self._uri = uri
        self.host = host
        self._silence = silence
        self._opening: Future[Any] | None = None
        """A connection that is being made, for whoever waited in vain and comes again."""
        self._raw: Any = None
        self._lock = threading.Lock()
        self._tell: Callable[[str], None] | None = None

    def watch(self, tell: Callable[[str], None]) -> None:
        """Call ``tell(uuid)`` of every domain that stops, crashes or pauses, on this connection and those after it."""
        _run_events()  # before the connection is made, or it has none
        self._tell = tell
        self.close()

    def _event(self, _raw: Any, domain: Any, event: int, _detail: int, _opaque: Any) -> None:
        if self._tell is not None and event in _ENDED:
            self._tell(str(domain.UUIDString()))

    def close(self) -> None:
        """Forget the connection; the next call makes a new one."""
        with self._lock:
            raw, self._raw = self._raw, None
        if raw is not None:
            with contextlib.suppress(libvirt.libvirtError):
                raw.close()

    def _get(self) -> Any:
        with self._lock:
            if self._raw is None:
                self._raw = self._opened()
            return self._raw

    def _opened(self) -> Any:
        """Opening knows no time-out: another thread does it, and goes on when this one gives up."""
        wait = 0.0 if self._opening is not None else self._silence
        if self._opening is None:
            self._opening = Future()
            threading.Thread(target=self._open, args=(self._opening,), name="libvirt-open", daemon=True).start()
        opening = self._opening
        try:
            made = opening.result(wait)
        except TimeoutError as error:
            raise HypervisorUnavailable(host=self.host, reason=f"{self._uri} does not answer") from error
        except libvirt.libvirtError as error:
            self._opening = None
            raise HypervisorUnavailable(host=self.host, reason=str(error)) from error
        self._opening = None
        return made

    def _open(self, opening: "Future[Any]") -> None:
        try:
            raw = libvirt.open(self._uri)
            if self._tell is not None:
                raw.setKeepAlive(max(1, self._silence // _SILENCES), _SILENCES)
                raw.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._event, None)
        except libvirt.libvirtError as error:
            opening.set_exception(error)
        else:
            opening.set_result(raw)

    @contextlib.contextmanager
    def errors(self, call: str, uuid: str = "") -> Iterator[None]:
        """Translate the binding's errors; a broken link is dropped. ``uuid`` is the domain the call is about."""
        try:
            yield
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                raise DomainGone(uuid=uuid) from error
            if _is_broken(error):
                self.close()
                raise HypervisorUnavailable(host=self.host, reason=str(error)) from error
            words = [str(error), *filter(None, [_FIXES.get(error.get_error_code())])]
            raise HypervisorFailed(call=call, host=self.host, reason="; ".join(words)) from error

    def _ask(self, call: str, question: Callable[[Any], T]) -> T:
        """Ask something that changes nothing, once more when the link turns out broken."""
        try:
            with self.errors(call):
                return question(self._get())
        except HypervisorUnavailable:
            LOG.info("Connecting to %s again", self._uri)
        with self.errors(call):
            return question(self._get())

    def find(self, uuid: str) -> "LiveDomain | None":
        """The domain with this UUID, whoever made it."""
        try:
            return LiveDomain(self, self._ask("look up", lambda raw: raw.lookupByUUIDString(uuid)))
        except DomainGone:
            return None

    def domains(self) -> "tuple[LiveDomain, ...]":
        """Every domain of this libvirtd, ours or not."""
        found = self._ask("list", lambda raw: raw.listAllDomains(0))
        return tuple(LiveDomain(self, raw) for raw in found)

    def define(self, document: str) -> "LiveDomain":
        """Define or redefine; the document is checked against libvirt's schema."""
        flag = libvirt.VIR_DOMAIN_DEFINE_VALIDATE
        self._ask("reach", lambda raw: raw.getLibVersion())
        with self.errors("define"):
            return LiveDomain(self, self._get().defineXMLFlags(document, flag))

    def host_info(self) -> tuple[int, int]:
        """CPUs in the host, memory in MiB."""
        info = self._ask("host info", lambda raw: raw.getInfo())
        return int(info[2]), int(info[1])

    def version(self) -> int:
        """QEMU's version: major * 1,000,000 + minor * 1,000 + micro."""
        return int(self._ask("version", lambda raw: raw.getVersion()))

    def capabilities(self) -> str:
        """XML of what the host and its emulators can do."""
        return str(self._ask("capabilities", lambda raw: raw.getCapabilities()))

    def domain_capabilities(self, arch: str, machine: str, virt_type: str) -> str:
        """XML of what one kind of guest can have."""
        return str(
            self._ask("domain capabilities", lambda raw: raw.getDomainCapabilities(None, arch, machine, virt_type))
        )

    def expand_cpu(self, arch: str, virt_type: str, cpu: str) -> str:
        """The CPU document with every feature its model implies."""
        flag = libvirt.VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES
        return str(
            self._ask("expand CPU", lambda raw: raw.baselineHypervisorCPU(None, arch, None, virt_type, [cpu], flag))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """How a guest is sent."""

    document: str
    """Its XML as it shall be there while it runs; ``persistent``: when it is started again."""
    persistent: str
    address: str | None = None
    """URI for the data itself; None lets the destination say."""
    block: bool = False
    copied: tuple[str, ...] = ()
    """Which disks a block migration copies (``vda``); none named: all that are not read-only."""
    tunnelled: bool = False
    tls: bool = False
    post_copy: bool = False
    auto_converge: bool = False
    connections: int = 1
    bandwidth: int = 0
    """MiB/s, 0 is no limit."""

    def flags(self) -> int:
        """Libvirt's VIR_MIGRATE_ flags."""
        wanted = (
            (self.block, libvirt.VIR_MIGRATE_NON_SHARED_INC),
            (self.tunnelled, libvirt.VIR_MIGRATE_TUNNELLED),
            (self.tls, libvirt.VIR_MIGRATE_TLS),
            (self.post_copy, libvirt.VIR_MIGRATE_POSTCOPY),
            (self.auto_converge, libvirt.VIR_MIGRATE_AUTO_CONVERGE),
            (self.connections > 1, libvirt.VIR_MIGRATE_PARALLEL),
        )
        found = libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_PEER2PEER
        found |= libvirt.VIR_MIGRATE_UNDEFINE_SOURCE | libvirt.VIR_MIGRATE_PERSIST_DEST
        return int(found | sum(flag for on, flag in wanted if on))

    def parameters(self) -> dict[str, Any]:
        """Libvirt's typed parameters."""
        found: dict[str, Any] = {
            libvirt.VIR_MIGRATE_PARAM_DEST_XML: self.document,
            libvirt.VIR_MIGRATE_PARAM_PERSIST_XML: self.persistent,
        }
        if self.address:
            found[libvirt.VIR_MIGRATE_PARAM_URI] = self.address
        if self.bandwidth:
            found[libvirt.VIR_MIGRATE_PARAM_BANDWIDTH] = self.bandwidth
        if self.block and self.copied:
            found[libvirt.VIR_MIGRATE_PARAM_MIGRATE_DISKS] = list(self.copied)
        if self.connections > 1:
            found[libvirt.VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS] = self.connections
        return found


class LiveDomain:
    """A domain of libvirtd. Calls raise DomainGone when it went away meanwhile."""

    def __init__(self, connection: Connection, raw: Any) -> None:
        self._connection = connection
        self._raw = raw

    def _errors(self, call: str) -> contextlib.AbstractContextManager[None]:
        return self._connection.errors(call, self.uuid)

    @property
    def uuid(self) -> str:
        return str(self._raw.UUIDString())

    @property
    def name(self) -> str:
        return str(self._raw.name())

    def power(self) -> PowerState:
        """SUSPENDED is a domain that is off and has a managed save image."""
        with self._errors("state"):
            state = _POWER.get(self._raw.state(0)[0], PowerState.NOSTATE)
            if state is PowerState.SHUTDOWN and self._raw.hasManagedSaveImage(0):
                return PowerState.SUSPENDED
            return state

    def active(self) -> bool:
        """A QEMU process exists."""
        with self._errors("is active"):
            return bool(self._raw.isActive())

    def vcpus(self) -> int:
        """Virtual CPUs of an active domain, 0 of any other."""
        with self._errors("info"):
            state, _max, _used, count, _time = self._raw.info()
        return 0 if state in {libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_CRASHED} else int(count)

    def portable(self, *, inactive: bool = False) -> str:
        """Like ``document``, as another host may take it up."""
        flags = libvirt.VIR_DOMAIN_XML_MIGRATABLE | (libvirt.VIR_DOMAIN_XML_INACTIVE if inactive else 0)
        with self._errors("read definition"):
            return str(self._raw.XMLDesc(flags | libvirt.VIR_DOMAIN_XML_SECURE))

    def document(self, *, inactive: bool = False) -> str:
        """The domain's XML, as it runs or as it would start."""
        with self._errors("read definition"):
            return str(self._raw.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE if inactive else 0))

    def start(self, *, paused: bool = False) -> None:
        """From its managed save image when there is one; ``paused``: with its devices, but no processor runs."""
        with self._errors("start"):
            self._raw.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED if paused else 0)

    def shut_down(self) -> None:
        """Press the power button; already off is fine."""
        with self._errors("shut down"):
            try:
                self._raw.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)
            except libvirt.libvirtError:
                if self._raw.isActive():
                    raise

    def pull_plug(self) -> None:
        """Power off at once; already off is fine."""
        with self._errors("destroy"):
            if self._raw.isActive():
                try:
                    self._raw.destroy()
                except libvirt.libvirtError:
                    if self._raw.isActive():
                        raise

    def pause(self) -> None:
        with self._errors("pause"):
            self._raw.suspend()

    def unpause(self) -> None:
        """Also wakes a guest that put itself to sleep (ACPI S3)."""
        with self._errors("unpause"):
            if self._raw.state(0)[0] == libvirt.VIR_DOMAIN_PMSUSPENDED:
                self._raw.pMWakeup(0)
            else:
                self._raw.resume()

    def save(self) -> None:
        """Memory to disk, power off; starting it continues, running even when it was paused."""
        with self._errors("suspend"):
            self._raw.managedSave(libvirt.VIR_DOMAIN_SAVE_RUNNING)

    def forget_save(self) -> None:
        """Throw the memory image away."""
        with self._errors("forget memory image"):
            if self._raw.hasManagedSaveImage(0):
                self._raw.managedSaveRemove(0)

    def attach(self, document: str, *, live: bool) -> None:
        """Plug a device into the running guest, or into what its next start uses."""
        with self._errors("attach device"):
            self._raw.attachDeviceFlags(document, _where(live=live))

    def detach(self, document: str, *, live: bool) -> None:
        """Ask for a device to be unplugged; a running guest answers later. A device that is gone already is fine."""
        with self._errors("detach device"):
            try:
                self._raw.detachDeviceFlags(document, _where(live=live))
            except libvirt.libvirtError as error:
                if error.get_error_code() != libvirt.VIR_ERR_DEVICE_MISSING and not _is_being_unplugged(error):
                    raise

    def undefine(self) -> None:
        """With memory image, snapshots' metadata and NVRAM."""
        with self._errors("undefine"):
            self._raw.undefineFlags(_UNDEFINE_ALL)

    def max_memory_kib(self) -> int:
        with self._errors("info"):
            return int(self._raw.info()[1])

    def cpu_times(self) -> list[tuple[int, int]]:
        """(virtual CPU, nanoseconds) of an active domain."""
        with self._errors("virtual CPUs"):
            return [(int(cpu[0]), int(cpu[2])) for cpu in self._raw.vcpus()[0]]

    def memory_stats(self) -> dict[str, int]:
        """Libvirt's own names, in KiB; what the balloon does not tell is absent."""
        with self._errors("memory statistics"):
            return {str(name): int(value) for name, value in self._raw.memoryStats().items()}

    def block_stats(self, dev: str) -> tuple[int, int, int, int, int]:
        """Read requests and bytes, write requests and bytes, errors (-1: unknown)."""
        with self._errors("disk statistics"):
            found: tuple[int, int, int, int, int] = self._raw.blockStats(dev)
            return found

    def interface_stats(self, dev: str) -> tuple[int, int, int, int, int, int, int, int]:
        """Received bytes, packets, errors, drops; the same sent."""
        with self._errors("interface statistics"):
            found: tuple[int, int, int, int, int, int, int, int] = self._raw.interfaceStats(dev)
            return found

    def inject_nmi(self) -> None:
        with self._errors("inject NMI"):
            self._raw.injectNMI(0)

    def set_password(self, user: str, password: str) -> None:
        """By the guest's agent, which has a few seconds to answer. Raises AgentSilent."""
        with self._errors("set password"):
            try:
                self._raw.agentSetResponseTimeout(_AGENT_S, 0)
                self._raw.setUserPassword(user, password, 0)
            except libvirt.libvirtError as error:
                if error.get_error_code() == libvirt.VIR_ERR_AGENT_UNRESPONSIVE:
                    raise AgentSilent(uuid=self.uuid, reason=str(error)) from error
                raise

    def abort_job(self) -> None:
        """Stop a backup, if one runs."""
        with contextlib.suppress(libvirt.libvirtError):
            self._raw.abortJob()

    def migrate(self, uri: str, wishes: "Migration") -> None:
        """Move to the libvirtd at ``uri``; returns when the guest runs there. Raises HypervisorFailed."""
        with self._errors("migrate"):
            self._raw.migrateToURI3(uri, wishes.parameters(), wishes.flags())

    def job(self) -> dict[str, int]:
        """Counters of the job that runs (``memory_total`` … in bytes), empty when none does."""
        with self._errors("job"):
            found = self._raw.jobStats()
        if found.get("type", libvirt.VIR_DOMAIN_JOB_NONE) == libvirt.VIR_DOMAIN_JOB_NONE:
            return {}
        parts = [f"{what}_{which}" for what in ("memory", "disk") for which in ("total", "processed", "remaining")]
        return {part: int(found.get(part, 0)) for part in parts}

    def start_post_copy(self) -> None:
        """Let the running migration fetch what is left after the guest has moved."""
        with self._errors("post-copy"):
            self._raw.migrateStartPostCopy(0)

    def set_max_downtime(self, milliseconds: int) -> None:
        """How long the migration's last pause may be; one that has just ended is fine."""
        with contextlib.suppress(libvirt.libvirtError):
            self._raw.migrateSetMaxDowntime(milliseconds, 0)

    def back_up(self, document: str) -> None:
        """Copy a live disk as the backup document says; returns when the copy is complete.

        Raises BackupUnsupported, HypervisorFailed.
        """
        with self._errors("back up"):
            try:
                self._raw.backupBegin(document, None, 0)
            except libvirt.libvirtError as error:
                if error.get_error_code() in {
                    libvirt.VIR_ERR_OPERATION_UNSUPPORTED,
                    libvirt.VIR_ERR_CONFIG_UNSUPPORTED,
                    libvirt.VIR_ERR_NO_SUPPORT,
                }:
                    raise BackupUnsupported(reason=str(error)) from error
                raise
        self._await_job("back up")

    def copy_over(self, dev: str, document: str) -> None:
        """Copy a running disk to another place that is ready for it, and go on there. Raises HypervisorFailed."""
        flags = libvirt.VIR_DOMAIN_BLOCK_COPY_REUSE_EXT | libvirt.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB
        with self._errors("copy disk"):
            if not self._raw.blockJobInfo(dev, 0):  # one that a killed agent began goes on by itself
                self._raw.blockCopy(dev, document, {}, flags)
            while True:
                job = self._raw.blockJobInfo(dev, 0)
                if not job:
                    reason = "the copy ended before it was complete"
                    raise HypervisorFailed(call="copy disk", host=self._connection.host, reason=reason)
                if job["cur"] == job["end"] and job["end"] > 0 and self._pivots(dev):
                    break
                time.sleep(_JOB_POLL_S)

    def _pivots(self, dev: str) -> bool:
        """A copy that has all the data may still not be ready for this."""
        try:
            self._raw.blockJobAbort(dev, libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT)
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_BLOCK_COPY_ACTIVE:
                return False
            raise
        return True

    def divert(self, document: str) -> None:
        """Let disks be written to other files, which exist, as the snapshot document says."""
        flags = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA
        with self._errors("snapshot disk"):
            self._raw.snapshotCreateXML(document, flags | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REUSE_EXT)

    def merge(self, dev: str, top: str | None, into: str | None) -> None:
        """Commit ``top`` into ``into``, or pull what is above ``top`` into the present file. Returns when done."""
        with self._errors("merge disk"):
            if not self._raw.blockJobInfo(dev, 0):  # as with copies
                if into is None:
                    self._raw.blockRebase(dev, top, 0, 0)
                else:
                    self._raw.blockCommit(dev, into, top, 0, 0)
            while self._raw.blockJobInfo(dev, 0):
                time.sleep(_JOB_POLL_S)

    def resize(self, dev: str, size: int) -> None:
        """Tell the guest of a disk's new size in bytes."""
        with self._errors("resize disk"):
            self._raw.blockResize(dev, size, libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES)

    def _await_job(self, call: str) -> None:
        with self._errors(call):
            while self._raw.jobInfo()[0] != libvirt.VIR_DOMAIN_JOB_NONE:
                time.sleep(_JOB_POLL_S)
            outcome = self._raw.jobStats(libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED)
        if outcome.get("type") != libvirt.VIR_DOMAIN_JOB_COMPLETED:
            reason = outcome.get("errmsg", "the job did not complete")
            raise HypervisorFailed(call=call, host=self._connection.host, reason=reason)
