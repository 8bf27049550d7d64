"""``nova-compute``: a compute host's agent with the driver that ``compute_driver`` names."""

import logging
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kilonova.agent.attention import Attention
from kilonova.agent.desk import Desk
from kilonova.agent.notices import HostNotices
from kilonova.agent.options import AgentOptions, WorkaroundOptions
from kilonova.agent.reports import Reporter
from kilonova.domain.audit_period import last_completed
from kilonova.hypervisor.contracts import Images, Lifecycle
from kilonova.kit.clock import SystemClock
from kilonova.kit.loops import Loop, stop_together
from kilonova.kit.monitoring import Check
from kilonova.kit.notices import Notices
from kilonova.kit.options import BadConfiguration, Configuration
from kilonova.kit.rpc.contract import Address, Bus, Listener
from kilonova.services import program
from kilonova.services.process import ProcessOptions, bus_of, neighbours, notices_of

LOG = logging.getLogger(__name__)
_MINUTE = 60.0
_REPORT_SECONDS = 2.0
"""A report's answer is waited for so long when this process stops."""
_UMASK = 0o022
"""libvirt has QEMU run as a user of its own, who enters directories made here: no matter of a unit's or a shell's."""


def driver_of(configuration: Configuration, options: ProcessOptions, images: Images) -> Any:
    """The driver, unconnected work not yet begun. Raises BadConfiguration."""
    name = configuration.section(AgentOptions).compute_driver or "libvirt.LibvirtDriver"
    make = _DRIVERS.get(name)
    if make is None:
        known = ", ".join(_DRIVERS)
        raise BadConfiguration(reason=f"[DEFAULT] compute_driver = {name} is not one of {known}")
    return make(configuration, options, images)


def _fake(configuration: Configuration, options: ProcessOptions, images: Images) -> Any:
    from kilonova.hypervisor.fake.driver import FakeDriver  # noqa: PLC0415  # only the chosen driver is loaded
    from kilonova.hypervisor.fake.options import FakeOptions  # noqa: PLC0415

    section = configuration.section(FakeOptions)
    return FakeDriver(section, options.host_name, address=options.my_ip, images=images)


def _libvirt(configuration: Configuration, options: ProcessOptions, images: Images) -> Any:
    from kilonova.hypervisor.libvirt.driver import LibvirtDriver  # noqa: PLC0415  # only the chosen driver is loaded
    from kilonova.hypervisor.libvirt.options import (  # noqa: PLC0415
        DriverOptions,
        GuestDisplayOptions,
        ImageCacheOptions,
        ImageRules,
        LibvirtOptions,
        SerialOptions,
        SpiceOptions,
        StorageOptions,
    )

    # First, because defaults of the other sections name its options ($instances_path).
    storage = configuration.section(StorageOptions)
    return LibvirtDriver(
        DriverOptions(
            host=options.host_name,
            address=options.my_ip,
            state_path=Path(options.state_path),
            libvirt=configuration.section(LibvirtOptions),
            vnc=configuration.section(GuestDisplayOptions),
            storage=storage,
            image_cache=configuration.section(ImageCacheOptions),
            spice=configuration.section(SpiceOptions),
            serial=configuration.section(SerialOptions),
            image_rules=configuration.section(ImageRules),
        ),
        images,
    )


_DRIVERS = {
    "libvirt.LibvirtDriver": _libvirt,
    "fake.FakeDriver": _fake,
}


class ComputeHost:
    """One compute service."""

    def __init__(self, configuration: Configuration, driver: Any, bus: Bus, placement: Any, host: str) -> None:
        options = configuration.section(AgentOptions)
        self.host = host
        self.driver = driver
        self._bus = bus
        self.reporter = Reporter(host, driver, bus, placement, options)
        self._desk = Desk(driver, tell=self.reporter.migration, detaching=self.reporter.detaching)
        self._listener: Listener | None = None
        self._attention: Attention | None = None
        self._silent_after = 3.0 * options.report_interval
        resources = options.update_resources_interval or 60
        self._loops = [
            Loop("alive", float(options.report_interval), self.reporter.alive),
            Loop("resources", float(max(resources, 1)), self.reporter.resources),
        ]
        if options.instance_usage_audit:
            last_completed(options.instance_usage_audit_period, SystemClock().now())  # a bad one is told at start
            self._loops.append(Loop("audit", _MINUTE, self.reporter.audit))
        if options.resize_confirm_window:
            self._loops.append(Loop("resizes", _MINUTE, self.reporter.resizes))
        if options.volume_usage_poll_interval:
            self._loops.append(Loop("volumes", float(options.volume_usage_poll_interval), self.reporter.volumes))
        if options.sync_power_state_interval >= 0:
            interval = float(options.sync_power_state_interval or options.report_interval)
            guests = Loop("guests", interval, self.reporter.guests)
            self._loops.append(guests)
            if configuration.section(WorkaroundOptions).handle_virt_lifecycle_events and isinstance(driver, Lifecycle):
                self._attention = Attention(guests.soon)
                driver.watch(self._attention.changed)

    def tell_to(self, notices: Notices, address: str) -> None:
        """What this host tells by itself goes there; ``address``: this host's."""
        if notices.versioned:
            self.reporter.notices = HostNotices(notices, self.host, address)

    def start(self) -> None:
        """Join the bus and report."""
        self._listener = self._bus.serve(Address("compute", self.host), self._desk.handlers(), threads=64)
        for loop in self._loops:
            loop.start()

    def demand_report(self) -> None:
        """Raises Unavailable when no conductor has taken a report of ours lately: then others think this host down."""
        self._loops[0].demand_success(self._silent_after)

    def stop(self) -> None:
        """Leave; guests keep running.

        A report that waits for its answer is given up: the conductor may have been stopped with us, and the next
        process sends a newer one.
        """
        deadline = time.monotonic() + _REPORT_SECONDS
        for loop in self._loops:
            loop.end()
        if self._listener is not None:
            self._listener.stop()
        if self._attention is not None:
            self._attention.stop()
        stop_together(self._loops, deadline - time.monotonic())
        self._desk.stop()


class _Process:
    """The program: a compute host with a bus and clients of its own."""

    @property
    def checks(self) -> Mapping[str, Check]:
        return {"broker": self._bus.check, "report": self._host.demand_report}

    def __init__(self, configuration: Configuration) -> None:
        options = configuration.section(ProcessOptions)
        self._bus = bus_of(configuration, options)
        others = neighbours(configuration)
        driver = driver_of(configuration, options, others.images)
        self._host = ComputeHost(configuration, driver, self._bus, others.resources, options.host_name)
        self._host.tell_to(notices_of(configuration), options.my_ip)

    def start(self) -> None:
        self._host.start()

    def stop(self) -> None:
        self._host.stop()
        self._bus.close()


def main(argv: Sequence[str] | None = None) -> int:
    """``nova-compute``. Never opens a database."""
    os.umask(_UMASK)
    return program.run("nova-compute", argv, _Process)


if __name__ == "__main__":
    sys.exit(main())
