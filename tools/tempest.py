"""`make tempest`: the open list of Tempest tests against separate processes on the fake driver. docs/conformance.md.

Needs the companion services and the conformance material beside the checkout. Words that are not known here go on to
``tempest-run`` (``--regex``, ``--concurrency``, ``--out``, files with names …).
"""

import argparse
import csv
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from deployment.held import seed, served, wait_for_interrupt
from deployment.services import WontStart
from deployment.stack import ROOT, NoStack

MATERIAL = ROOT.parent / "shared" / "conformance"
OFFERED = ("spice_console", "personality", "change_password")
"""Features that the given configuration takes for absent."""
MULTIATTACH = "ceph-multi"
"""The companion Cinder's type of volumes that several servers share."""
ALWAYS = frozenset({"", "admin", "slow", "ssh-optional"})
"""Needs that every deployment meets."""
_SKIP = re.compile(r"\} (?P<name>[\w.]+)(?:\[[^]]*\])?.* SKIPPED: (?P<reason>.*)")


def names_of(needs: Iterable[str]) -> list[str]:
    """Tests of the open list that need nothing beside ``needs``."""
    possible = ALWAYS | set(needs)
    with (MATERIAL / "tempest-open.tsv").open(newline="") as stream:
        rows = csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [row["test"] for row in rows if possible.issuperset(row["needs"].split(","))]


def run(login: Mapping[str, str], names: Sequence[str], words: Sequence[str]) -> int:
    """Tempest's own verdict; reasons for skips are printed."""
    out = Path(tempfile.mkdtemp(prefix="kilonova-tempest-"))
    chosen: list[str] = []
    if names:
        (out / "names.txt").write_text("\n".join(names) + "\n")
        chosen = [str(out / "names.txt")]
    command = [str(MATERIAL / "tempest-run"), *chosen, "--image", "tempest-*", "--out", str(out)]
    command += [f"--set=compute-feature-enabled.{name}=true" for name in OFFERED]
    command += [f"--set=volume.volume_type_multiattach={MULTIATTACH}", *words]
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
    parser.add_argument("--hosts", type=int, default=1, help="nova-compute processes; two at least with multinode")
    parser.add_argument("--workers", type=int, default=2, help="processes of nova-api and placement-api")
    parser.add_argument("--hold", action="store_true", help="start the services, then only wait for Ctrl-C")
    return parser.parse_known_args(argv)


def main(argv: list[str]) -> int:
    arguments, words = arguments_of(argv)
    needs = set(arguments.needs.split(","))
    parts = ("core", "net", *(["volume"] if "volume" in needs else []))
    try:
        hosts = max(arguments.hosts, 2 if "multinode" in needs else 1)
        with served(*parts, nodes=arguments.nodes, workers=arguments.workers, hosts=hosts) as deployment:
            login = deployment.stack.login()
            seed(login, ("tempest-1", "tempest-2"), {f"tempest-{size}": (size, 128 * size, size) for size in (1, 2)})
            if arguments.hold:
                wait_for_interrupt(deployment)
            own = "--regex" in words or any(word.endswith(".txt") for word in words)
            words += [] if "volume" in needs else ["--no-volume"]
            return run(login, [] if own else names_of(needs), words)
    except KeyboardInterrupt:
        return 130
    except (NoStack, WontStart) as error:
        print(f"tempest: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
