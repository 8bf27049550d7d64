"""Reading a server's ports anew, because the network service said that something changed.

It runs beside whatever else happens to the server: it has no task state and is no action of a user's.
"""

from collections.abc import Callable, Sequence

from kilonova.kit import codec
from kilonova.kit.clock import Clock, stamp
from kilonova.kit.context import Context
from kilonova.operations import ports
from kilonova.operations.accepting import NoFields, operation_row
from kilonova.operations.guests import network_columns
from kilonova.operations.work import Outcome, Row, Work
from kilonova.store import operations as journal_rows
from kilonova.store.cells import Cell

VERB = "refresh_network"


def accept(
    clock: Clock, bell: Callable[[int, list[str]], None], context: Context, cell: Cell, servers: Sequence[Row]
) -> None:
    """Note that the servers' ports are to be read; once, however many events wait for it."""
    now = stamp(clock.now())
    with cell.database.write() as connection:
        already = journal_rows.waiting(connection, [server["uuid"] for server in servers], VERB)
        wanted = [server for server in servers if server["uuid"] not in already]
        made = [operation_row(context, server, VERB, NoFields(), now) for server in wanted]
        if made:
            journal_rows.insert(connection, made)
    # A server that is being worked on would only make the conductor ask whether it may begin: the sweep does.
    idle = [row["id"] for row, server in zip(made, wanted, strict=True) if server["task_state"] is None]
    if idle:
        bell(cell.id, idle)


def run(work: Work, command: NoFields) -> Outcome:
    """Ports as Neutron has them now; one that was deleted there is unplugged here."""
    del command
    server = work.server()
    nics = ports.read(work, server)
    there = {entry["port_id"] for entry in nics}
    for entry in codec.loads(server["network_info"]):
        if entry["port_id"] not in there and server["host"]:
            ports.unplug(work, server["host"], entry)
    columns = network_columns(nics)
    changed = {name: value for name, value in columns.items() if server[name] != value}
    return Outcome(values=changed, aside=True)
