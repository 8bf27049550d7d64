"""Server groups while a host is chosen: facts for the filters, and a second look after the claim.

Two servers of an anti-affinity group may be placed at the same moment, each before the other is recorded. So the
choice for a group is made by one thread at a time in a process, and looked at again once the row names the host: of
two conductors at least the one that looks last sees both, and whoever sees a broken rule gives way and chooses anew.
"""

import random
from collections.abc import Callable
from typing import Any

from kilonova.kit import codec
from kilonova.kit.errors import Unavailable
from kilonova.operations.work import Work
from kilonova.scheduling.request import GroupFacts, ServerRequest
from kilonova.store import server_groups as group_rows
from kilonova.store import servers
from kilonova.store.cells import Store

_TURNS = 8


class GroupContended(Unavailable):
    """Others of the group kept choosing in the same moment."""

    template = "The members of server group {group} are being placed elsewhere at this moment"


def placed_within_group(
    work: Work, group_uuid: str | None, request: Callable[[GroupFacts | None], ServerRequest]
) -> dict[str, Any]:
    """``Placer.place`` for a server that may be in a group."""
    placer = work.tools.chooser
    if group_uuid is None:
        found: dict[str, Any] = placer.place(request(None))
        return found
    for turn in range(_TURNS):
        with placer.group_lock(group_uuid):
            found = placer.place(request(group_facts(work.tools.store, group_uuid, work.uuid)))
            _move(work, found["host"], found["node"])
            if _keeps(group_facts(work.tools.store, group_uuid, work.uuid), found["host"]):
                return found
            _move(work, None, None)
            placer.release(work.uuid)
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
    hosts: dict[str, int] = {}
    for cell in store.cells:
        with cell.database.read() as connection:
            for host in servers.hosts_of(connection, members).values():
                hosts[host] = hosts.get(host, 0) + 1
    rules = codec.loads(group["rules"])
    return GroupFacts(
        uuid=group_uuid,
        policy=group["policy"],
        max_server_per_host=int(rules.get("max_server_per_host", 1)),
        hosts=hosts,
    )
