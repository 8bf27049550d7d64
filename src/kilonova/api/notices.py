"""Notifications of what the API does by itself. Each is told after it was done: none of what was refused.

``telling`` wraps a handler; where nobody listens, the handler is all that runs.
"""

import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kilonova.domain.notifications import envelope, resources
from kilonova.domain.notifications import servers as server_payloads
from kilonova.kit.errors import Invalid, KilonovaError, NotFound
from kilonova.kit.http.endpoint import Call, Handler
from kilonova.kit.notices import ERROR, INFO, Notice
from kilonova.store import aggregates, flavors, keypairs, server_groups, servers

Payload = Mapping[str, Any]
Look = Callable[[Call, Any], Payload | None]
"""(call, reply or None before it) to the payload as it is now; None when there is nothing to see."""
PAIR = (".start", ".end")
ALONE = ("",)


def tell(call: Call, event: str, payload: Payload, publisher: str = "", priority: str = INFO) -> None:
    """Send one event, in the name of the API unless it is told otherwise."""
    publisher = publisher or f"nova-api:{call.app.compute.host or socket.gethostname()}"
    call.app.notices.send(Notice(event_type=event, publisher=publisher, payload=payload, priority=priority))


def telling(
    handler: Handler, event: str | Callable[[Call], str], look: Look, phases: tuple[str, ...] = PAIR
) -> Handler:
    """The handler, followed by its events. ``start`` has what was before, if there was anything."""

    def told(call: Call) -> Any:
        if not call.app.notices.versioned:
            return handler(call)
        before = _seen(look, call, None)
        try:
            answer = handler(call)
        except KilonovaError as error:
            if look is aggregate:  # of the others the reference release does not tell
                tell(call, "compute.exception", envelope.exception(error), priority=ERROR)
            raise
        after = _seen(look, call, answer) or before
        name = event if isinstance(event, str) else event(call)
        for phase in phases:
            payload = (before or after) if phase == ".start" else after
            if payload is not None:
                tell(call, name + phase, payload)
        return answer

    return told


def _seen(look: Look, call: Call, answer: Any) -> Payload | None:
    try:
        return look(call, answer)
    except (NotFound, Invalid):  # the handler says so in its own words
        return None


def flavor(call: Call, answer: Any) -> Payload | None:
    """The flavor of the path, or of the reply."""
    ident = call.params.get("flavor_id") or (answer["flavor"]["id"] if answer else None)
    if ident is None:
        return None
    with call.app.store.api.read() as connection:
        row = flavors.find(connection, ident, project_id=None, see_all=True)
        return resources.flavor(row, flavors.projects(connection, row["id"]))


def keypair(call: Call, answer: Any) -> Payload | None:
    """The key pair of the path, or of the reply."""
    if "name" not in call.params:
        return resources.keypair({"type": "ssh", **answer["keypair"]}) if answer else None
    with call.app.store.api.read() as connection:
        user_id = call.one("user_id") or str(call.context.user_id)
        return resources.keypair(keypairs.find(connection, user_id, call.params["name"]))


def keypair_event(call: Call) -> str:
    """Given or generated."""
    return "keypair.import" if "public_key" in call.body["keypair"] else "keypair.create"


def aggregate(call: Call, answer: Any) -> Payload | None:
    """The aggregate of the path, or of the reply."""
    text = call.params.get("aggregate_id") or (str(answer["aggregate"]["id"]) if answer else "")
    if not text.isdigit():
        return None
    with call.app.store.api.read() as connection:
        return resources.aggregate(aggregates.find(connection, int(text)))


def server_group(call: Call, answer: Any) -> Payload | None:
    """The group of the path, or of the reply."""
    uuid = call.params.get("id") or (answer["server_group"]["id"] if answer else None)
    if uuid is None:
        return None
    with call.app.store.api.read() as connection:
        row = server_groups.get(connection, uuid)
        return None if row is None else resources.server_group(row, server_groups.members(connection, uuid))


def service(call: Call, event: str, row: Mapping[str, Any]) -> None:
    """A service record was changed or removed."""
    if call.app.notices.versioned:
        tell(call, event, resources.service(row), f"{row['binary']}:{row['host']}")


def joined(call: Call, group: str | None, members: Sequence[str]) -> None:
    """Servers are made in a group (None: in none)."""
    if group is None or not call.app.notices.versioned:
        return
    with call.app.store.api.read() as connection:
        row = server_groups.get(connection, group)
    if row is not None:
        for member in members:
            tell(call, "server_group.add_member", resources.server_group(row, [member]))


def action(call: Call, _answer: Any) -> dict[str, Any]:
    """The server of the path."""
    data = {**server_payloads.instance(_server(call), cause(call)), "fault": None}
    return envelope.wrapped("InstanceActionPayload", data)


def acted(event: str, handler: Handler) -> Handler:
    """A change of a server that is done at once (lock, unlock), or is asked for (evacuate)."""
    return telling(handler, event, action, ALONE)


def for_host(event: str, handler: Handler) -> Handler:
    """What the server's host is asked to do with its next report; told in its name."""

    def told(call: Call) -> Any:
        answer = handler(call)
        if call.app.notices.versioned:
            payload = action(call, answer)
            for phase in PAIR:
                tell(call, event + phase, payload, f"nova-compute:{payload['nova_object.data']['host']}")
        return answer

    return told


def changed(handler: Handler) -> Handler:
    """A change of a server's names or tags: ``instance.update``."""

    def told(call: Call) -> Any:
        if not call.app.notices.versioned:
            return handler(call)
        before = _server(call)
        answer = handler(call)
        row = _server(call)
        data = {**server_payloads.instance(row, cause(call)), **server_payloads.updated(row, before)}
        tell(call, "instance.update", envelope.wrapped("InstanceUpdatePayload", data))
        return answer

    return told


def cause(call: Call) -> dict[str, Any]:
    """Who acts."""
    context = call.context
    return {"request_id": context.request_id, "user_id": context.user_id, "project_id": context.project_id}


def _server(call: Call) -> Mapping[str, Any]:
    """The server of the path, also one of another project: the handler decides about that. Raises NotFound."""
    uuid = call.params["server_id"]
    found = call.app.store.seek(uuid, servers.get)
    if found is None:
        raise NotFound(f"Instance {uuid} could not be found.")
    return dict(found[1])
