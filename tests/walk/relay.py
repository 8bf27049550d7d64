"""Lets a host of the testbed reach loopback services of this machine at its own loopback: ``relay.py PID PORT…``.

Listens on 127.0.0.1 in the network namespace of process PID, and passes each connection on to the same port here.
"""

import asyncio
import ctypes
import os
import socket
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

_CLONE_NEWNET = 0x40000000  # setns(2)
_CHUNK = 65536


def enter(network: int) -> None:
    """This thread, which must be the only one, joins a network namespace. Raises OSError."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(network, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def listeners(pid: int, ports: Sequence[int]) -> list[socket.socket]:
    """Sockets in the network of ``pid``. Raises OSError."""
    with Path("/proc/self/ns/net").open("rb") as here, Path(f"/proc/{pid}/ns/net").open("rb") as there:
        enter(there.fileno())
        try:
            return [socket.create_server(("127.0.0.1", port)) for port in ports]
        finally:
            enter(here.fileno())


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # either end may go at any time
    finally:
        writer.close()


async def _serve(port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        there, back = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        writer.close()
        return
    await asyncio.gather(_pass(reader, back), _pass(there, writer))


async def _run(sockets: Sequence[socket.socket]) -> None:
    for each in sockets:
        await asyncio.start_server(partial(_serve, each.getsockname()[1]), sock=each)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_run(listeners(int(sys.argv[1]), [int(word) for word in sys.argv[2:]])))
