"""Server groups while a host is chosen: facts for the filters, and a second look after the claim.

Two servers of an anti-affinity group may be placed at the same moment, each before the other is recorded. So the
choice for a group is made by one thread at a time in a process, and looked at again once the row names the host: of
two conductors at least the one that looks last sees both, and whoever sees a broken rule gives way and chooses anew.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kilonova.kit import codec
from kilonova.kit.errors import Unavailable
from kilonova.operations.work import Work
from kilonova.scheduling.request import GroupFacts, ServerRequest
from kilonova.store import moves, servers
from kilonova.store import server_groups as group_rows
from kilonova.store.cells import Store

_TURNS = 8


class GroupContended(Unavailable):
    """Others of the group kept choosing in the same moment."""

    template = "The members of server group {group} are being placed elsewhere at this moment"


@dataclass(frozen=True)
class Ways:
    """How a choice is claimed, made known to other members' choices, and given back."""

    place: Callable[[ServerRequest], dict[str, Any]]
    note: Callable[[str | None, str | None], None]
    """Host and node; None: nowhere any more."""
    release: Callable[[], object]


def ways_of_build(work: Work) -> Ways:
    """A new server is where its row says."""
    placer = work.tools.chooser
    return Ways(placer.place, lambda host, node: _move(work, host, node), lambda: placer.release(work.uuid))


def placed_within_group(
    work: Work,
    group_uuid: str | None,
    request: Callable[[GroupFacts | None], ServerRequest],
    ways: Ways | None = None,
) -> dict[str, Any]:
    """``Placer.place`` for a server that may be in a group."""
    ways = ways or ways_of_build(work)
    if group_uuid is None:
        return ways.place(request(None))
    for turn in range(_TURNS):
        with work.tools.chooser.group_lock(group_uuid):
            found = ways.place(request(group_facts(work.tools.store, group_uuid, work.uuid)))
            ways.note(found["host"], found["node"])
            if _keeps(group_facts(work.tools.store, group_uuid, work.uuid), found["host"]):
                return found
            ways.note(None, None)
            ways.release()
        work.tools.clock.sleep(random.uniform(0, 0.02 * 2**turn))  # noqa: S311  # only keeps two from giving way in step
    raise GroupContended(group=group_uuid)


def _move(work: Work, host: str | None, node: str | None) -> None:
    with work.cell.database.write() as connection:
        servers.update(connection, work.uuid, {"host": host, "node": node})


def _keeps(group: GroupFacts | None, host: str) -> bool:
    """Whether a further member on ``host`` keeps the group's rule."""
    if group is not None and group.policy == "anti-affinity":
        return group.hosts.get(host, 0) < group.max_server_per_host
    if group is not None and group.policy == "affinity":
        return not group.hosts or host in group.hosts
    return True


def group_facts(store: Store, group_uuid: str, besides: str | None = None) -> GroupFacts | None:
    """The group and where its members are, ``besides`` one; None when the group is gone."""
    with store.api.read() as connection:
        group = group_rows.get(connection, group_uuid)
        if group is None:
            return None
        members = [member for member in group_rows.members(connection, group_uuid) if member != besides]
    where: dict[str, str] = {}
    for here in store.ask(
        lambda connection: servers.hosts_of(connection, members) | moves.destinations(connection, members)
    ).values():
        where |= here  # one on its way out of cell0 is in two
    hosts: dict[str, int] = {}
    for host in where.values():
        hosts[host] = hosts.get(host, 0) + 1
    rules = codec.loads(group["rules"])
    return GroupFacts(
        uuid=group_uuid,
        policy=group["policy"],
        max_server_per_host=int(rules.get("max_server_per_host", 1)),
        hosts=hosts,
    )
