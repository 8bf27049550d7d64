"""`make tempest`: the open list of Tempest tests against separate processes on the fake driver. docs/conformance.md.

Needs the companion services and the conformance material beside the checkout. Words that are not known here go on to
``tempest-run`` (``--regex``, ``--concurrency``, ``--out``, files with names …).
"""

import argparse
import csv
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from deployment.client import Client, token, until
from deployment.services import Deployment, WontStart
from deployment.stack import ROOT, NoStack, Stack

MATERIAL = ROOT.parent / "shared" / "conformance"
COMPUTE = "http://127.0.0.1:8774/v2.1"
IMAGE = "http://127.0.0.1:9292"
ALWAYS = frozenset({"", "admin", "slow", "ssh-optional"})
"""Needs that every deployment meets."""
_SKIP = re.compile(r"\} (?P<name>[\w.]+)(?:\[[^]]*\])?.* SKIPPED: (?P<reason>.*)")


def names_of(needs: Iterable[str]) -> list[str]:
    """Tests of the open list that need nothing beside ``needs``."""
    possible = ALWAYS | set(needs)
    with (MATERIAL / "tempest-open.tsv").open(newline="") as stream:
        rows = csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [row["test"] for row in rows if possible.issuperset(row["needs"].split(","))]


def prepare(login: Mapping[str, str], nodes: int) -> None:
    """Two images, two flavors, and compute nodes that are there."""
    word, _project = token(login)
    images = Client(IMAGE, word, version="")
    for name in ("tempest-1", "tempest-2"):
        if not images.call("GET", f"/v2/images?name={name}")["images"]:
            body = {"name": name, "disk_format": "raw", "container_format": "bare", "visibility": "public"}
            made = images.call("POST", "/v2/images", body)
            images.put_bytes(f"/v2/images/{made['id']}/file", b"\0" * 65536)
    api = Client(COMPUTE, word)
    for number in (1, 2):
        flavor = {"name": f"tempest-{number}", "vcpus": number, "ram": 128 * number, "disk": number}
        api.call("POST", "/flavors", {"flavor": flavor})
    until("compute nodes", lambda: len(api.call("GET", "/os-hypervisors")["hypervisors"]) == nodes)


def run(login: Mapping[str, str], names: Sequence[str], words: Sequence[str]) -> int:
    """Tempest's own verdict; reasons for skips are printed."""
    out = Path(tempfile.mkdtemp(prefix="kilonova-tempest-"))
    chosen: list[str] = []
    if names:
        (out / "names.txt").write_text("\n".join(names) + "\n")
        chosen = [str(out / "names.txt")]
    command = [str(MATERIAL / "tempest-run"), *chosen, "--image", "tempest-*", "--out", str(out), *words]
    code = subprocess.run(command, env={**os.environ, **login}, check=False).returncode
    output = out / "output.txt"
    skips = _SKIP.finditer(output.read_text()) if output.exists() else ()
    for line in sorted({f"SKIPPED {found['name']}: {found['reason']}" for found in skips}):
        print(line)
    print(f"tempest: results, log and failures are in {out}", file=sys.stderr)
    return code


def arguments_of(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(prog="make tempest ARGS=", description=__doc__, allow_abbrev=False)
    parser.add_argument("--needs", default="", help="also tests that need these: network,image,volume,multinode")
    parser.add_argument("--nodes", type=int, default=1, help="compute nodes that the fake driver pretends")
    parser.add_argument("--workers", type=int, default=2, help="processes of nova-api and placement-api")
    parser.add_argument("--hold", action="store_true", help="start the services, then only wait for Ctrl-C")
    return parser.parse_known_args(argv)


def main(argv: list[str]) -> int:
    arguments, words = arguments_of(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    needs = set(arguments.needs.split(","))
    with tempfile.TemporaryDirectory(prefix="kilonova-deployment-") as directory:
        try:
            stack = Stack.find()
            stack.up("core", "net", *(["volume"] if "volume" in needs else []))
        except NoStack as error:
            print(f"tempest: {error}", file=sys.stderr)
            return 1
        deployment = Deployment(Path(directory), stack, nodes=arguments.nodes, workers=arguments.workers)
        try:
            deployment.prepare()
            deployment.start()
            deployment.start("novncproxy")
            login = stack.login()
            prepare(login, arguments.nodes)
            if arguments.hold:
                print(f"The services run in {directory}. Ctrl-C ends.", file=sys.stderr)
                signal.pause()
            own = "--regex" in words or any(word.endswith(".txt") for word in words)
            words += [] if "volume" in needs else ["--no-volume"]
            return run(login, [] if own else names_of(needs), words)
        except KeyboardInterrupt:
            return 130
        except WontStart as error:
            print(f"tempest: {error}", file=sys.stderr)
            return 1
        finally:
            deployment.stop()
            stack.down()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
