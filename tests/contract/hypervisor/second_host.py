"""One call on the second host's driver, in a process of that host: ``second_host.py SETTINGS CALL ARGUMENTS``."""

import json
import sys
from pathlib import Path

from tests.contract.hypervisor.conftest import Shelf

from kilonova.agent.moves import calls
from kilonova.hypervisor.libvirt.driver import LibvirtDriver
from kilonova.hypervisor.libvirt.options import DriverOptions, GuestDisplayOptions, LibvirtOptions, StorageOptions
from kilonova.kit import codec


def main() -> None:
    settings, call, arguments = json.loads(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
    options = DriverOptions(
        host="host2",
        address="127.0.0.1",
        state_path=Path(settings["state"]),
        libvirt=LibvirtOptions(
            virt_type="qemu",
            connection_uri=settings["uri"],
            tb_cache_size=16,
            live_migration_inbound_addr="127.0.0.1",
        ),
        vnc=GuestDisplayOptions(),
        storage=StorageOptions(),
    )
    driver = LibvirtDriver(options, Shelf(Path(settings["shelf"])))
    own = {
        "destroy": lambda a: driver.destroy(a["uuid"]),
        "state": lambda a: driver.state(a["uuid"]),
        "output": lambda a: driver.output(a["uuid"], 1000).decode(),
        **calls(driver, lambda _migration, _counters: {"cancel": False, "force": False}),
    }
    sys.stdout.write(json.dumps(codec.pack(own[call](arguments))))
    driver.close()


if __name__ == "__main__":
    main()
