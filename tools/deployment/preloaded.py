"""`openstack` and `nova` as forks of a process that has them loaded: starting either takes seconds of processor time.

Run by the clients' own Python: ``python preloaded.py SOCKET``. A command sends a JSON line with its ``argv``,
``environ`` and ``cwd``, and its three open files; the code it ends with comes back.
"""

import contextlib
import importlib
import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import NoReturn

import openstack.compute.v2._proxy
import openstack.image.v2._proxy
import openstack.network.v2._proxy  # noqa: F401  # loaded once, for all commands to come
from openstackclient import shell

_CLIENTS = {
    "openstack": shell.main,
    "nova": lambda words: importlib.import_module("novaclient.shell").main(words),
}
_FILES = 3
"""Input, output, errors."""


def serve(path: Path) -> None:
    """One fork a command."""
    with contextlib.suppress(ImportError):  # not everybody has it
        importlib.import_module("novaclient.shell")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(16)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            asked, _address = listener.accept()
            if os.fork() == 0:
                listener.close()
                _become(asked)
            asked.close()


def _become(asked: socket.socket) -> NoReturn:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    data, files, _flags, _address = socket.recv_fds(asked, 1 << 20, _FILES)
    while not data.endswith(b"\n"):
        data += asked.recv(1 << 20)
    request = json.loads(data)
    for number, file in enumerate(files):
        os.dup2(file, number)
    os.environ.clear()
    os.environ.update(request["environ"])
    os.chdir(request["cwd"])
    sys.argv = request["argv"]
    code = 70
    try:
        code = int(_CLIENTS[Path(sys.argv[0]).name](sys.argv[1:]) or 0)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        asked.sendall(str(code).encode())
        os._exit(code)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
