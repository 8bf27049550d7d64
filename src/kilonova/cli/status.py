"""``nova-status upgrade check``: what must be seen to before or after an upgrade."""

import sys
from collections.abc import Callable, Iterator, Sequence

from kilonova.cli.manage.deployment import Deployment
from kilonova.cli.manage.images import without_machine_type
from kilonova.cli.upgrade_check import Check, Result, policy_file, run
from kilonova.clients.keystone.errors import NoEndpoint
from kilonova.clients.keystone.neighbour import Request
from kilonova.clients.keystone.neighbours import neighbour
from kilonova.kit import logs
from kilonova.kit.errors import KilonovaError
from kilonova.kit.options import Configuration, load
from kilonova.kit.policy import policy_path
from kilonova.store import host_mappings, services
from kilonova.store.cells import API_SCHEMA, CELL0, CELL_SCHEMA, mappings

PROGRAM = "nova-status"
_SERVICE_VERSION = 1
"""What compute services of the release before this one report."""
_LISTED = 10


def checks(deployment: Deployment) -> Iterator[Check]:
    """In the order in which an upgrade meets them."""
    yield _cells(deployment)
    yield _placement(deployment)
    yield _volumes(deployment)
    yield policy_file(policy_path(deployment.configuration))
    yield _computes(deployment)
    yield _machine_types(deployment)
    yield _service_user(deployment)


def _cells(deployment: Deployment) -> Check:
    """Cells are mapped, their databases are at this release's revision, and so are their hosts."""
    name = "Cells v2"
    if API_SCHEMA.version(deployment.api) != API_SCHEMA.head():
        return Check(name, Result.FAILURE, "The API database is not at this release: nova-manage api_db sync")
    known = [row["uuid"] for row in mappings(deployment.api)]
    if CELL0 not in known:
        return Check(name, Result.FAILURE, "There is no cell0: nova-manage cell_v2 map_cell0")
    if len(known) == 1:
        return Check(name, Result.FAILURE, "There is no cell for hosts: nova-manage cell_v2 create_cell")
    with deployment.api.read() as api:
        mapped = set(host_mappings.all_hosts(api))
    for cell in deployment.store.cells:
        if CELL_SCHEMA.version(cell.database) != CELL_SCHEMA.head():
            return Check(
                name, Result.FAILURE, f"The database of {cell.name} is not at this release: nova-manage db sync"
            )
        with cell.database.read() as connection:
            there = set(host_mappings.in_cell(connection))
        if there - mapped:
            hosts = ", ".join(sorted(there - mapped)[:_LISTED])
            return Check(name, Result.FAILURE, f"Hosts are not mapped: {hosts}: nova-manage cell_v2 discover_hosts")
    return (
        Check(name) if mapped else Check(name, Result.WARNING, "No host is mapped: nova-manage cell_v2 discover_hosts")
    )


def _placement(deployment: Deployment) -> Check:
    return _speaks(deployment, "placement", "Placement API", "placement 1.36", "/resource_providers", ("name", PROGRAM))


def _volumes(deployment: Deployment) -> Check:
    return _speaks(deployment, "cinder", "Cinder API", "volume 3.44", "/v3/attachments", ("limit", "1"))


def _speaks(deployment: Deployment, section: str, name: str, version: str, path: str, few: tuple[str, str]) -> Check:
    """The neighbour answers a question at the version that is needed."""
    asked = Request(method="GET", path=path, query=(few,), headers={"OpenStack-API-Version": version})
    try:
        neighbour(deployment.sessions, section).call(asked)
    except NoEndpoint as error:
        if section == "cinder":
            return Check(name)  # no volumes, nothing to be too old
        return Check(name, Result.FAILURE, str(error))
    except KilonovaError as error:
        return Check(name, Result.FAILURE, f"{version} is not to be had: {logs.blotted(str(error))}")
    return Check(name)


def _computes(deployment: Deployment) -> Check:
    name = "Older than N-1 computes"
    old = []
    for cell in deployment.store.working:
        with cell.database.read() as connection:
            rows = services.page(connection, binary="nova-compute")
        old += [row["host"] for row in rows if row["version"] < _SERVICE_VERSION]
    if not old:
        return Check(name)
    return Check(name, Result.WARNING, f"Upgrade these hosts first: {', '.join(sorted(old)[:_LISTED])}")


def _machine_types(deployment: Deployment) -> Check:
    name = "hw_machine_type unset"
    number = sum(len(without_machine_type(cell)) for cell in deployment.store.working)
    if not number:
        return Check(name)
    words = f"{number} servers have no recorded machine type: nova-manage libvirt list_unset_machine_type"
    return Check(name, Result.WARNING, words)


def _service_user(deployment: Deployment) -> Check:
    name = "Service User Token Configuration"
    if deployment.sessions.service_token is not None:
        return Check(name)
    words = "Long operations outlive users' tokens: set [service_user] send_service_user_token and its credentials"
    return Check(name, Result.WARNING, words)


def main(argv: Sequence[str] | None = None, *, make: Callable[[Configuration], Deployment] = Deployment) -> int:
    """Exit codes: 0 fine; 1 warnings; 2 failures; 255 the checks could not be made."""
    return run(PROGRAM, argv, lambda words: checks(make(load("nova", words))))


if __name__ == "__main__":
    sys.exit(main())
