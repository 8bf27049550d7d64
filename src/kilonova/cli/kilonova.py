"""``kilonova``: the all-in-one cloud on this machine, up and down."""

import argparse
import shutil
import socket
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kilonova.cli import guest_image, lab_files
from kilonova.cli.host import hypervisor, packages
from kilonova.cli.host.processes import Processes
from kilonova.cli.lab_client import LabClient
from kilonova.cli.lab_files import Lab
from kilonova.kit.errors import KilonovaError, Unavailable

DEFAULT_STATE = Path("/var/lib/kilonova")
SERVICE = "kilonova"
FIRST = "first"
_START_SECONDS = 60
_LINKS = ("openstack",)
_LINK_DIRECTORY = Path("/usr/local/bin")
_EPILOG = """\
examples:
  kilonova up                     install what is missing, start the cloud, boot a first server
  kilonova up --no-server         the same without a first server
  kilonova status                 what runs
  kilonova down                   stop everything, keep the data
  kilonova down --purge           stop everything, forget the data
"""


class PortsTaken(Unavailable):
    """Other programs listen where the cloud would."""

    template = "Ports {ports} are in use by other programs; stop those, or choose others with --port-offset"


class Teller:
    """Progress lines with the seconds since the start."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def __call__(self, sentence: str) -> None:
        print(f"[{time.monotonic() - self._start:6.1f}s] {sentence}", flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.run(arguments)
    except KilonovaError as error:
        sys.stderr.write(f"kilonova: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("kilonova: interrupted; run it again to go on, or `kilonova down` to stop\n")
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kilonova",
        description="The Kilonova cloud on one machine.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--state", type=Path, default=DEFAULT_STATE, help="directory of all data (%(default)s)")
    common.add_argument("--port-offset", type=int, default=0, help="add this to every port (%(default)s)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    up = commands.add_parser("up", parents=[common], help="start the cloud and boot a first server")
    up.add_argument("--no-server", action="store_true", help="do not boot a first server")
    up.set_defaults(run=_up)
    down = commands.add_parser("down", parents=[common], help="stop the cloud")
    down.add_argument("--purge", action="store_true", help="forget servers, images, networks and passwords too")
    down.set_defaults(run=_down)
    status = commands.add_parser("status", parents=[common], help="say what runs")
    status.set_defaults(run=_status)
    return parser


def _processes(state: Path) -> Processes:
    return Processes(state / "run", state / "log")


def _up(arguments: Any) -> int:
    say = Teller()
    lab = Lab(arguments.state, arguments.port_offset)
    lab.state.mkdir(parents=True, exist_ok=True)
    packages.ensure(packages.RUN, lab.state / "log" / "apt.log", say)
    processes = _processes(lab.state)
    image = _Background(lambda: guest_image.build(lab.state / "guest" / "tinyguest.qcow2", lab.state / "guest", say))
    kind = hypervisor.virtualization()
    say(kind.reason)
    libvirt = hypervisor.libvirt(lab.state, processes, say)
    _start(lab, processes, kind.virt_type, libvirt.uri, say)
    client = LabClient(lab)
    say("waiting for the compute host")
    _wait(client.compute_is_ready, "The compute host", _START_SECONDS)
    flavors = client.flavors()
    path = image.result()
    say("registering the image tinyguest")
    image_id = client.image("tinyguest", path)
    files = lab_files.write_clouds(lab)
    _link_programs(say)
    if arguments.no_server:
        say(f"the cloud is up; log in with --os-cloud {lab_files.CLOUD} ({files[0]})")
        return 0
    _first_server(client, image_id, flavors["m1.tiny"], say)
    return 0


def _start(lab: Lab, processes: Processes, virt_type: str, uri: str, say: Teller) -> None:
    """The all-in-one process; a running one is left alone."""
    if processes.running(SERVICE) is not None:
        say("the cloud runs already")
        return
    taken = [p + lab.offset for p in (5000, 6080, 8774, 8775, 8778, 9292, 9696) if _listening(lab, p + lab.offset)]
    if taken:
        raise PortsTaken(ports=", ".join(map(str, taken)))
    lab_files.write_configuration(lab, virt_type, uri)
    say("starting the cloud")
    command = [sys.executable, "-m", "kilonova.services.all_in_one", "--config-file", str(lab.configuration)]
    processes.start(SERVICE, command)
    processes.wait(SERVICE, lambda: _listening(lab, 6080 + lab.offset), _START_SECONDS)
    say("the cloud answers")


def _listening(lab: Lab, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((lab.listen, port)) == 0


def _first_server(client: LabClient, image: str, flavor: str, say: Teller) -> None:
    known = client.server(FIRST)
    if known is None:
        say(f"booting the server {FIRST}")
        ident = client.boot(FIRST, image, flavor, client.network("private"))
    else:
        ident = known["id"]
        if known["status"] == "SHUTOFF":
            say(f"starting the server {FIRST}")
            client.action(ident, "os-start")
    server = client.until_active(ident, say)
    say("waiting for the guest's ready line")
    console = client.until_ready(ident, guest_image.READY, say)
    _summary(server, console, client.console_url(ident), say)


def _summary(server: dict[str, Any], console: str, url: str, say: Teller) -> None:
    addresses = [entry["addr"] for entries in server["addresses"].values() for entry in entries]
    say("done")
    tail = "\n".join(f"    {line.rstrip()}" for line in console.strip().splitlines()[-6:])
    cloud = lab_files.CLOUD
    print(
        f"""
Server       {server["name"]}  {server["id"]}
Status       {server["status"]}
Address      {", ".join(addresses)}
Console log
{tail}
Console URL  {url}

Try next:
    openstack --os-cloud {cloud} server list --long
    openstack --os-cloud {cloud} server create --flavor m1.tiny --image tinyguest --network private --wait web1
    openstack --os-cloud {cloud} console log show {server["name"]}
""",
        flush=True,
    )


class _Background:
    """Work in a thread whose result or error is asked for later."""

    def __init__(self, work: Any) -> None:
        self._work = work
        self._result: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result = self._work()
        except BaseException as error:  # noqa: BLE001  # handed to whoever asks for the result
            self._error = error

    def result(self) -> Any:
        """Wait for it."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._result


def _wait(ready: Any, what: str, seconds: int) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise Unavailable(f"{what} did not come up within {seconds} seconds; see the log in log/{SERVICE}.log")
        time.sleep(0.1)


def _link_programs(say: Teller) -> None:
    """Make ``openstack`` work in any shell, unless another one is installed."""
    for name in _LINKS:
        source = Path(sys.executable).parent / name
        if shutil.which(name) is None and source.exists():
            (_LINK_DIRECTORY / name).symlink_to(source)
            say(f"{_LINK_DIRECTORY / name} leads to this checkout's {name}")


def _unlink_programs() -> None:
    for name in _LINKS:
        link = _LINK_DIRECTORY / name
        if link.is_symlink() and link.readlink() == Path(sys.executable).parent / name:
            link.unlink()


def _down(arguments: Any) -> int:
    say = Teller()
    state = arguments.state
    processes = _processes(state)
    if processes.stop(SERVICE):
        say("stopped the cloud")
    hypervisor.stop(state, processes, say)
    for name in processes.names():
        processes.stop(name)
        say(f"stopped {name}")
    _remove_networks(state, say)
    if arguments.purge:
        lab_files.forget_clouds()
        _unlink_programs()
        shutil.rmtree(state, ignore_errors=True)
        say(f"forgot everything in {state}")
    return 0


def _remove_networks(state: Path, say: Teller) -> None:
    """Bridges, DHCP servers and firewall rules of the lab."""
    directory = state / "networks"
    if not directory.exists():
        return
    from kilonova.lab.networks.linux import LinuxPlumbing  # noqa: PLC0415  # only where there is something to remove
    from kilonova.lab.networks.options import LabNetworkOptions  # noqa: PLC0415

    LinuxPlumbing(LabNetworkOptions(state_path=str(directory))).teardown()
    say("removed the lab's networks from this machine")


def _status(arguments: Any) -> int:
    processes = _processes(arguments.state)
    for name in processes.names() or [SERVICE]:
        pid = processes.running(name)
        print(f"{name:12} {'pid ' + str(pid) if pid else 'not running'}")
    return 0 if processes.running(SERVICE) else 1


if __name__ == "__main__":
    sys.exit(main())
