"""Runs ``openstack`` commands, each in a fork of a process that has the client loaded: a start takes it seconds.

Reads JSON lines with ``arguments`` and ``environ``, writes JSON lines with ``code``, ``out`` and ``err``.
"""

import json
import os
import sys
import tempfile
from typing import Any, NoReturn

import openstack.compute.v2._proxy
import openstack.image.v2._proxy
import openstack.network.v2._proxy  # noqa: F401  # loaded once, for all commands to come
from openstackclient import shell


def main() -> None:
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_run(json.loads(line))) + "\n")
        sys.stdout.flush()


def _run(request: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            _become(request, out.fileno(), err.fileno())
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
        return {"code": code, "out": texts[0], "err": texts[1]}


def _become(request: dict[str, Any], out: int, err: int) -> NoReturn:
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.environ.update(request["environ"])
    sys.argv = ["openstack", *request["arguments"]]
    code = 70
    try:
        code = int(shell.main(request["arguments"]) or 0)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
