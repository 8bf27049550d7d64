"""A server leaves cell0: it and its operation go to the cell of the host that was chosen for it.

Two databases change one after the other, and a process may die in between:

1. Copies are written to the cell; the copy of the operation waits for a lease's time before anybody takes it.
2. What is in cell0 is removed, unless somebody has changed it since it was read: then all over again.
   This is the moment at which the server moves.
3. The mapping points to the cell, and this process goes on with the operation there.

Whoever finds an operation of cell0 before the second step does it again. Whoever takes the copy finds the server in
cell0 still (then it is not its turn), or not any more, and does the third step (``arrived``).
"""

from kilonova.kit.clock import stamp
from kilonova.operations.work import LeaseLost, Tools, Work
from kilonova.store import rehoming, server_mappings
from kilonova.store.cells import Cell

_RACES = 20


def to(work: Work, cell_id: int) -> None:
    """Go on in this cell; nothing happens where the server is in a cell already. Raises Cancelled, LeaseLost."""
    if not work.cell.is_cell0:
        return
    cell = work.tools.store.cell(cell_id)
    home = work.cell
    work.on_undo("rehome", lambda: _forget_copies(work, cell))
    work.settle()
    for _ in range(_RACES):
        if _moved(work, home, cell):
            break
        work.demand_wanted()
    else:
        raise LeaseLost(operation=work.id)  # it never stands still: the next one to take it may have more luck
    work.tools.checkpoint("create:rehome:moved")
    _point_to(work.tools, work.uuid, cell)
    work.tools.checkpoint("create:rehome:mapped")
    work.move_to(cell)


def _moved(work: Work, home: Cell, cell: Cell) -> bool:
    with home.database.read() as connection:
        found = rehoming.read(connection, work.uuid)
    if found is None:
        raise LeaseLost(operation=work.id)
    until = stamp(work.tools.clock.now() + work.lease)
    work.tools.checkpoint("create:rehome:read")
    cell.database.transact(lambda connection: rehoming.write(connection, found, work.id, until))
    work.tools.checkpoint("create:rehome:copied")
    return home.database.transact(lambda connection: rehoming.remove(connection, found, work.id, work.owner))


def _forget_copies(work: Work, cell: Cell) -> None:
    """The server stays in cell0 after all."""
    if work.cell.is_cell0:
        cell.database.transact(lambda connection: rehoming.forget(connection, work.uuid))


def _point_to(tools: Tools, uuid: str, cell: Cell) -> None:
    tools.store.api.transact(lambda connection: server_mappings.relocate(connection, uuid, cell.id))


def arrived(tools: Tools, cell: Cell, server_uuid: str) -> bool:
    """Whether the server lives in this cell, where an operation on it was found that waited for its time.

    A copy of a server that is still in cell0 is not ours to work on; one of a server that was deleted there goes.
    Raises Unavailable when cell0 does not answer.
    """
    zero = next((known for known in tools.store.cells if known.is_cell0), None)
    if zero is None or cell.is_cell0 or len(tools.store.holding) == 1:
        return True
    with tools.store.api.read() as connection:
        mapping = server_mappings.get(connection, server_uuid)
    if mapping is not None and mapping["cell_id"] != zero.id:
        return True
    with zero.database.read() as connection:
        living = rehoming.living(connection, server_uuid)
    if living is None:
        _point_to(tools, server_uuid, cell)
        return True
    if not living:
        cell.database.transact(lambda connection: rehoming.forget(connection, server_uuid))
    return False
