"""A compute host whose conductor does not answer."""

import threading
import time
from pathlib import Path
from types import SimpleNamespace

from kilonova.kit.options import load
from kilonova.kit.rpc.contract import Address
from kilonova.kit.rpc.local import LocalBus
from kilonova.services.compute import ComputeHost, driver_of
from kilonova.services.process import ProcessOptions


def test_a_report_that_nobody_answers_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    """Programs are often stopped together: the conductor may take a report and never answer it."""
    file = tmp_path / "nova.conf"
    file.write_text("[DEFAULT]\ncompute_driver = fake.FakeDriver\n")
    configuration = load("nova-compute", ["--config-file", str(file)])
    bus, asked, release = LocalBus(), threading.Semaphore(0), threading.Event()

    def silent(_payload: object) -> None:
        asked.release()
        release.wait(30)

    conductor = bus.serve(Address("conductor", "c"), dict.fromkeys(("host.alive", "host.nodes", "host.guests"), silent))
    driver = driver_of(configuration, configuration.section(ProcessOptions), SimpleNamespace())
    host = ComputeHost(configuration, driver, bus, SimpleNamespace(), "h")
    host.start()
    assert asked.acquire(timeout=5)
    before = time.monotonic()
    host.stop()
    assert time.monotonic() - before < 5
    release.set()
    conductor.stop()
