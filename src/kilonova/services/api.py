"""``nova-api``: the Compute API, and beside it the metadata service, as ``[DEFAULT] enabled_apis`` says."""

import sys
from collections.abc import Sequence

from kilonova.api.app import build
from kilonova.api.policies import policy
from kilonova.api.wiring import ApiOptions
from kilonova.kit.auth import authenticator
from kilonova.kit.clock import SystemClock
from kilonova.kit.http.app import Application
from kilonova.kit.http.cors import CorsOptions
from kilonova.kit.loops import Loop
from kilonova.kit.options import BadConfiguration, Configuration
from kilonova.services import doors, metadata_api
from kilonova.services.bell import Bell
from kilonova.services.parts import CELLS_REREAD, api_parts, cell_bus, checks_apart, open_store
from kilonova.services.process import ProcessOptions, bus_of, neighbours

PROGRAM = "nova-api"


def assemble(configuration: Configuration) -> Application:
    """The application with databases, bus and clients of its own. Raises BadConfiguration, DatabaseUnavailable."""
    store = open_store(configuration)
    bus = cell_bus(configuration, store)
    Loop("cells", CELLS_REREAD, store.refresh).start()
    parts = api_parts(configuration, store, neighbours(configuration), bus, Bell(bus), SystemClock())
    auth = authenticator(configuration, configuration.section(ApiOptions).auth_strategy)
    return build(parts, auth, policy(configuration), configuration.section(CorsOptions))


def application() -> Application:
    """The WSGI application, made once per worker process."""
    return assemble(doors.configuration_of(PROGRAM))


def _check(configuration: Configuration) -> None:
    open_store(configuration).dispose()
    bus_of(configuration, configuration.section(ProcessOptions)).close()


def _compute(configuration: Configuration) -> doors.Door:
    options = configuration.section(ProcessOptions)
    return doors.Door(
        name=PROGRAM,
        assemble=assemble,
        factory="kilonova.services.api:application",
        host=options.osapi_compute_listen,
        port=options.osapi_compute_listen_port,
        workers=options.osapi_compute_workers,
        check=_check,
        needs=checks_apart,
    )


_APIS = {"osapi_compute": _compute, "metadata": metadata_api.door}


def enabled(configuration: Configuration) -> list[doors.Door]:
    """What ``enabled_apis`` names, the Compute API first. Raises BadConfiguration."""
    names = configuration.section(ProcessOptions).enabled_apis
    unknown = sorted(set(names) - set(_APIS))
    if unknown or not names:
        what = ", ".join(unknown) or "empty"
        raise BadConfiguration(reason=f"[DEFAULT] enabled_apis: {what}; there are {', '.join(_APIS)}")
    return [make(configuration) for name, make in _APIS.items() if name in names]


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT: threads of this process, or ``osapi_compute_workers`` worker processes."""
    return doors.serve(PROGRAM, argv, enabled)


if __name__ == "__main__":
    sys.exit(main())
