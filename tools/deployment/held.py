"""Our services on the fake driver beside the companion services, as long as a block runs: for suites of others."""

import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deployment.client import Client, token, until
from deployment.services import Deployment
from deployment.stack import Stack
from kilonova.scheduling.options import DEFAULT_FILTERS

COMPUTE = "http://127.0.0.1:8774/v2.1"
_IMAGE = "http://127.0.0.1:9292"
_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "spice": {"enabled": "true"},
    "fake": {"spice_port": 6971},
    # the usual ones, and those of hints that Tempest tries
    "filter_scheduler": {"enabled_filters": ",".join([*DEFAULT_FILTERS, "SameHostFilter", "DifferentHostFilter"])},
}


@contextmanager
def served(*parts: str, nodes: int = 1, workers: int = 2, hosts: int = 1) -> Iterator[Deployment]:
    """Started with these parts of the stack; what it started is stopped at the end. Raises NoStack, WontStart.

    The first of the hosts is this machine, the others are named ``host2`` and so on.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="kilonova-deployment-") as directory:
        stack = Stack.find()
        deployment = Deployment(Path(directory), stack, nodes=nodes, workers=workers, settings=_SETTINGS)
        try:
            stack.up(*parts)
            deployment.prepare()
            deployment.start()
            deployment.start("novncproxy")
            for number in range(2, hosts + 1):
                stack.pretend_host(f"host{number}")
                deployment.start(f"compute@host{number}")
            yield deployment
        finally:
            deployment.stop()
            stack.down()


def seed(login: Mapping[str, str], images: tuple[str, ...], flavors: Mapping[str, tuple[int, int, int]]) -> Client:
    """Small images and flavors (VCPUs, MiB, GiB) by name, once hosts are there; gives the administrator's client."""
    word, _project = token(login)
    shelf = Client(_IMAGE, word, version="")
    for name in images:
        if not shelf.call("GET", f"/v2/images?name={name}")["images"]:
            body = {"name": name, "disk_format": "raw", "container_format": "bare", "visibility": "public"}
            made = shelf.call("POST", "/v2/images", body)
            shelf.put_bytes(f"/v2/images/{made['id']}/file", b"\0" * 65536)
    shelf.close()
    api = Client(COMPUTE, word)
    there = {flavor["name"] for flavor in api.call("GET", "/flavors")["flavors"]}
    for name, (vcpus, ram, disk) in flavors.items():
        if name not in there:
            api.call("POST", "/flavors", {"flavor": {"name": name, "vcpus": vcpus, "ram": ram, "disk": disk}})
    until("compute nodes", lambda: api.call("GET", "/os-hypervisors")["hypervisors"])
    return api


def wait_for_interrupt(deployment: Deployment) -> None:
    """Until Ctrl-C."""
    print(f"The services run in {deployment.directory}. Ctrl-C ends.", flush=True)
    signal.pause()
