"""``nova-manage placement``: what Placement has of servers and hosts, compared with the databases and repaired."""

import argparse
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from kilonova.cli.manage.deployment import Deployment, Group
from kilonova.clients.placement.facts import Allocation
from kilonova.domain import migration
from kilonova.kit.errors import KilonovaError, NotFound, Unavailable
from kilonova.operations.build import server_request
from kilonova.scheduling.prefilters.query import CandidateQuery
from kilonova.scheduling.prefilters.resources import add_extra_specs, add_flavor_amounts
from kilonova.store import aggregates, host_mappings, mapped, moves, nodes, servers
from kilonova.store.cells import Cell, CellNotFound

Say = Callable[[str], None]
_BAD_INPUT = 127
_AT_ONCE = 50
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def commands(group: Group) -> None:
    """Declare the subcommands."""
    add = group("placement", "allocations and aggregates of the placement service")
    heal = add("heal_allocations", heal_allocations, "create missing allocations of servers", failure=255)
    heal.add_argument("--max-count", type=int, metavar="N", help="heal so many servers at most")
    heal.add_argument("--verbose", action="store_true", help="tell of every server")
    heal.add_argument("--dry-run", action="store_true", help="tell what would be done, do nothing")
    heal.add_argument("--instance", metavar="UUID", help="this server alone")
    heal.add_argument("--cell", metavar="UUID", dest="cell_uuid", help="servers of this cell alone")
    heal.add_argument("--force", action="store_true", help="replace allocations that are there, too")
    heal.add_argument("--skip-port-allocations", action="store_true", help="accepted: ports claim no resources here")
    mirror = add("sync_aggregates", sync_aggregates, "mirror host aggregates onto resource providers", failure=255)
    mirror.add_argument("--verbose", action="store_true", help="tell of every host")
    look = add("audit", audit, "find allocations without a server or migration")
    look.add_argument("--verbose", action="store_true", help="tell of every allocation")
    look.add_argument("--delete", action="store_true", help="delete what is found")
    look.add_argument("--resource_provider", metavar="UUID", help="of this provider alone")


def _sayer(arguments: argparse.Namespace) -> Say:
    return print if arguments.verbose or getattr(arguments, "dry_run", False) else lambda _line: None


# -- heal_allocations --
class _NoNode(NotFound):
    template = "Compute host {host} has no node {node}; server {uuid} cannot be healed"


def heal_allocations(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """Servers that are on no host, or have a task under way, are left out.

    Exit codes: 0 healed; 1 --max-count reached; 2 a server's node is missing; 3 an allocation cannot be written;
    4 nothing to heal; 127 bad --max-count, --instance or --cell; 255 error. 5, 6 and 7 are for ports that claim
    resources, which do not happen here.
    """
    if arguments.max_count is not None and arguments.max_count <= 0:
        print("--max-count must be a positive number")
        return _BAD_INPUT
    try:
        found = list(_to_heal(deployment, arguments))
    except NotFound as error:
        print(error)
        return _BAD_INPUT
    say, healed = _sayer(arguments), 0
    for cell, server in found:
        if arguments.max_count is not None and healed >= arguments.max_count:
            print(f"Max count reached. Processed {healed} instances.")
            return 1
        try:
            healed += _heal(deployment, cell, server, arguments, say)
        except _NoNode as error:
            print(error)
            return 2
        except Unavailable:
            raise
        except KilonovaError as error:
            print(f"Failed to write allocations of instance {server['uuid']}: {error}")
            return 3
    print(f"Processed {healed} instances.")
    return 0 if healed else 4


def _to_heal(deployment: Deployment, arguments: argparse.Namespace) -> Iterator[tuple[Cell, Mapping[str, Any]]]:
    """Raises NoServer, CellNotFound."""
    if arguments.instance:
        yield deployment.server(arguments.instance)
        return
    cells = deployment.store.working
    if arguments.cell_uuid:
        cells = tuple(cell for cell in cells if cell.uuid == arguments.cell_uuid)
        if not cells:
            raise CellNotFound(cell=arguments.cell_uuid)
    for cell in cells:
        marker = ""
        while True:
            with cell.database.read() as connection:
                page = mapped.servers_after(connection, marker, _AT_ONCE)
                living = servers.get_many(connection, [one["uuid"] for one in page if not one["deleted"]])
            if not page:
                break
            yield from ((cell, one) for one in living)
            marker = page[-1]["uuid"]


def _heal(
    deployment: Deployment, cell: Cell, server: Mapping[str, Any], arguments: argparse.Namespace, say: Say
) -> bool:
    """Whether something was missing. Raises _NoNode and what Placement's client raises."""
    uuid = server["uuid"]
    if not server["host"] or server["task_state"]:
        say(f"Instance {uuid} is on no host or has a task under way; skipped")
        return False
    placement = deployment.others.resources
    present: Allocation | None = placement.allocation(uuid)
    if present is not None and not arguments.force and _owner(present) == _owner_of(server):
        say(f"Instance {uuid} already has allocations")
        return False
    with cell.database.read() as connection:
        node = nodes.uuid_of(connection, server["host"], server["node"])
    if node is None:
        raise _NoNode(uuid=uuid, host=server["host"], node=server["node"])
    wanted = Allocation(
        consumer=uuid,
        allocations={node: _amounts(server)},
        project_id=server["project_id"],
        user_id=server["user_id"],
    )
    if present is not None:
        kept = wanted.allocations if arguments.force else present.allocations
        wanted = replace(wanted, allocations=kept, generation=present.generation)
    what = "Update" if present is not None else "Create"
    if arguments.dry_run:
        say(f"[dry-run] {what} allocations for instance {uuid}: {dict(wanted.allocations)}")
        return True
    placement.replace([wanted])
    say(f"Successfully {what.lower()}d allocations for instance {uuid}.")
    return True


def _owner(present: Allocation) -> tuple[str, str]:
    return present.project_id, present.user_id


def _owner_of(server: Mapping[str, Any]) -> tuple[str, str]:
    return server["project_id"], server["user_id"]


def _amounts(server: Mapping[str, Any]) -> dict[str, int]:
    """What the server takes of its node: flavor and ``resources:`` of its extra specs."""
    request, query = server_request(server), CandidateQuery()
    add_flavor_amounts(query, request)
    add_extra_specs(query, request.flavor.extra_specs)
    return {name: amount for name, amount in query.main.resources.items() if amount}


# -- sync_aggregates --
@dataclass
class _Refused(Exception):
    words: str
    code: int


def sync_aggregates(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """Providers get the aggregates of their hosts; those that they are in besides stay.

    Exit codes: 0 done; 1 a host has several nodes; 2 Placement does not answer; 3 a provider cannot be written;
    4 a host is not mapped; 5 a host has no node; 6 a node has no provider; 255 error.
    """
    say, worst = _sayer(arguments), 0
    with deployment.api.read() as api:
        every = aggregates.page(api)
        places = host_mappings.all_hosts(api)
    known: dict[int, dict[str, list[str]]] = {}
    wanted: dict[str, set[str]] = {}
    for aggregate in every:
        for host in aggregate["hosts"]:
            wanted.setdefault(host, set()).add(aggregate["uuid"])
    for host, uuids in sorted(wanted.items()):
        try:
            provider = _provider(deployment, host, places, known)
            if _mirror(deployment.others.resources, provider, uuids):
                say(f"Successfully added host {host} and resource provider {provider} to {len(uuids)} aggregates")
        except _Refused as refusal:
            print(refusal.words)
            worst = max(worst, refusal.code)
    return worst


def _provider(
    deployment: Deployment, host: str, places: Mapping[str, int], known: dict[int, dict[str, list[str]]]
) -> str:
    if host not in places:
        raise _Refused(f"Host {host} is in an aggregate but in no cell: nova-manage cell_v2 discover_hosts", 4)
    place = places[host]
    if place not in known:
        with deployment.store.cell(place).database.read() as connection:
            known[place] = nodes.of_hosts(connection)
    there = known[place].get(host, [])
    if not there:
        raise _Refused(f"Host {host} has no compute node", 5)
    if len(there) > 1:
        raise _Refused(f"Host {host} has {len(there)} compute nodes: which one is meant cannot be told", 1)
    return there[0]


def _mirror(placement: Any, provider: str, uuids: set[str]) -> bool:
    try:
        if not placement.providers([("uuid", provider)]):
            raise _Refused(f"There is no resource provider {provider}", 6)
        present = set(placement.aggregates(provider))
    except KilonovaError as error:
        raise _Refused(f"Placement does not answer: {error}", 2) from error
    if uuids <= present:
        return False
    try:
        placement.set_aggregates(provider, present | uuids)
    except KilonovaError as error:
        raise _Refused(f"Resource provider {provider} cannot be written: {error}", 3) from error
    return True


# -- audit --
def audit(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """Allocations of consumers that are neither a server that lives nor a migration under way, on compute nodes.

    Exit codes: 0 clean; 1 error; 3 some were found; 4 some were found and deleted; 127 there is no such provider.
    """
    placement, say = deployment.others.resources, _sayer(arguments)
    query = [("uuid", arguments.resource_provider)] if arguments.resource_provider else []
    if query and not _UUID.fullmatch(arguments.resource_provider):
        print(f"Resource provider {arguments.resource_provider}: that is no UUID")
        return _BAD_INPUT
    providers = placement.providers(query)
    if query and not providers:
        print(f"Resource provider with UUID {arguments.resource_provider} does not exist.")
        return _BAD_INPUT
    orphans = 0
    for provider in providers:
        consumers = placement.consumers(provider.uuid)
        for consumer in sorted(set(consumers) - _known(deployment, set(consumers))):
            orphans += 1
            say(f"Allocations for consumer UUID {consumer} on Resource Provider {provider.uuid} belong to nothing")
            if arguments.delete:
                placement.release(consumer)
                say(f"Deleted allocations for consumer UUID {consumer}")
    print(f"Processed {orphans} allocation{'s' if orphans != 1 else ''}.")
    if not orphans:
        return 0
    return 4 if arguments.delete else 3


def _known(deployment: Deployment, consumers: set[str]) -> set[str]:
    """Those that live, in any cell."""
    found: set[str] = set()
    for cell in deployment.store.cells:
        with cell.database.read() as connection:
            found |= {row["uuid"] for row in servers.get_many(connection, consumers) if not row["deleted"]}
            found |= moves.holding(connection, consumers, migration.OPEN)
    return found
