"""``kilonova``: the all-in-one cloud on this machine, up and down."""

import argparse
import os
import socket
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kilonova.cli import first_server, guest_image, lab_claim, lab_files, lab_logins, links
from kilonova.cli.doctor import arguments as doctor
from kilonova.cli.host import hypervisor, packages
from kilonova.cli.host.processes import Processes
from kilonova.cli.lab_client import LabClient
from kilonova.cli.lab_files import Lab
from kilonova.kit.errors import Invalid, KilonovaError, Unavailable

DEFAULT_STATE = Path("/var/lib/kilonova")
SERVICE = "kilonova"
PORTS = (5000, 6080, 8774, 8775, 8778, 9292, 9696, 9697)
_HIGHEST_OFFSET = 65535 - max(PORTS)
_START_SECONDS = 60
_GRACE = 15
_EPILOG = """\
examples:
  kilonova up                     install what is missing, start the cloud, boot a first server
  kilonova up --no-server         the same without a first server
  kilonova status                 what runs
  kilonova doctor                 what is wrong here, and how to mend it
  kilonova down                   stop everything, keep the data
  kilonova down --purge           stop everything, forget the data
"""


class PortsTaken(Unavailable):
    """Other programs listen where the cloud would."""

    template = "Ports {ports} are in use by other programs; stop those, or choose others with --port-offset"


class OtherOffset(Invalid):
    """A running cloud keeps its ports."""

    template = "The cloud runs with --port-offset {offset}; to change it, `kilonova down` first"


class Teller:
    """Progress lines with the seconds since the start."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def __call__(self, sentence: str) -> None:
        print(f"[{time.monotonic() - self._start:6.1f}s] {sentence}", flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    arguments = _parser().parse_args(argv)
    # A plain user's PATH, which su keeps, may lack these.
    os.environ["PATH"] = f"{os.environ.get('PATH', '/usr/bin:/bin')}:/usr/sbin:/sbin"
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
    state = "directory of all data (%(default)s)"
    common.add_argument("--state", type=lambda text: Path(text).absolute(), default=DEFAULT_STATE, help=state)
    offset = "add this to every port when the cloud starts (as last time, at first 0)"
    common.add_argument("--port-offset", type=_offset, metavar="NUMBER", help=offset)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    up = commands.add_parser("up", parents=[common], help="start the cloud and boot a first server")
    clouds = "write the logins to this clouds.yaml only, and put no link to `openstack` into /usr/local/bin"
    up.add_argument("--clouds-file", type=lambda text: Path(text).absolute(), metavar="FILE", help=clouds)
    up.add_argument("--no-server", action="store_true", help="do not boot a first server")
    more = "options of nova.conf that this cloud has besides its own, of this start only; may be given again"
    up.add_argument(
        "--config-file", type=lambda text: Path(text).absolute(), metavar="FILE", action="append", help=more
    )
    up.set_defaults(run=_up)
    down = commands.add_parser("down", parents=[common], help="stop the cloud")
    down.add_argument("--purge", action="store_true", help="forget servers, images, networks and passwords too")
    down.set_defaults(run=_down)
    status = commands.add_parser("status", parents=[common], help="say what runs")
    status.set_defaults(run=_status)
    check = commands.add_parser(
        "doctor",
        parents=[common],
        help="say what is wrong here, and how to mend it",
        epilog=doctor.EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    doctor.options(check)
    check.set_defaults(run=_doctor)
    return parser


def _offset(text: str) -> int:
    number = int(text)
    if not 0 <= number <= _HIGHEST_OFFSET:
        raise argparse.ArgumentTypeError(f"{number} is not within 0 and {_HIGHEST_OFFSET}")
    return number


def _processes(state: Path) -> Processes:
    return Processes(state / "run", state / "log")


def _up(arguments: Any) -> int:
    with lab_claim.alone("up"):
        lab_claim.take(arguments.state)
        processes = _processes(arguments.state)
        lab = _lab(arguments, processes)
        _bring_up(lab, processes, arguments, Teller())
    return 0


def _lab(arguments: Any, processes: Processes) -> Lab:
    """With the ports of last time unless told otherwise. Raises OtherOffset, PortsTaken."""
    runs = processes.running(SERVICE) is not None
    known = lab_claim.remembered(arguments.state).get("port_offset", 0)
    offset = known if arguments.port_offset is None else arguments.port_offset
    if runs and offset != known:
        raise OtherOffset(offset=known)
    lab = Lab(arguments.state, offset)
    taken = [] if runs else [port + offset for port in PORTS if _listening(lab, port + offset)]
    if taken:
        raise PortsTaken(ports=", ".join(map(str, taken)))
    lab_claim.remember(lab.state, {"port_offset": offset})
    return lab


def _bring_up(lab: Lab, processes: Processes, arguments: Any, say: Teller) -> None:
    packages.ensure(packages.RUN, lab.state / "log" / "apt.log", say)
    packages.check_programs()
    image = _Background(lambda: guest_image.build(lab.state / "guest" / "tinyguest.qcow2", lab.state / "guest", say))
    kind = hypervisor.virtualization()
    say(kind.reason)
    libvirt = hypervisor.libvirt(lab.state, processes, say)
    lab_files.write_configuration(lab, kind.virt_type, libvirt.uri)
    _start(lab, processes, [lab.configuration, *(arguments.config_file or ())], say)
    client = LabClient(lab)
    say("waiting for the compute host")
    processes.wait(SERVICE, client.compute_is_ready, _START_SECONDS, explains=True)
    flavors = client.flavors()
    path = image.result()
    say("registering the image tinyguest")
    image_id = client.image("tinyguest", path)
    files = _log_in(lab, arguments.clouds_file, say)
    if arguments.no_server:
        say(f"the cloud is up; log in with --os-cloud {lab_logins.CLOUD} ({files[0]})")
        return
    print(first_server.present(client, image_id, flavors["m1.tiny"], lab_logins.CLOUD, say), flush=True)


def _start(lab: Lab, processes: Processes, files: list[Path], say: Teller) -> None:
    """The all-in-one process; a running one is left alone."""
    if processes.running(SERVICE) is not None:
        say("the cloud runs already")
        return
    say("starting the cloud")
    command = [sys.executable, "-m", "kilonova.services.all_in_one"]
    command += [f"--config-file={file}" for file in files]
    processes.start(SERVICE, command)
    processes.wait(SERVICE, lambda: _listening(lab, 6080 + lab.offset), _START_SECONDS)
    say("the cloud answers")


def _listening(lab: Lab, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((lab.listen, port)) == 0


def _log_in(lab: Lab, clouds_file: Path | None, say: Teller) -> list[Path]:
    """Logins and the client, where any shell finds them; returns the files with logins."""
    files = [clouds_file] if clouds_file else lab_logins.places()
    known = lab_claim.remembered(lab.state).get("clouds_files", [])
    # Noted before they are written, so that `down --purge` finds them whatever happens in between.
    lab_claim.remember(lab.state, {"clouds_files": sorted({*known, *map(str, files)})})
    lab_logins.write(lab, files)
    if not clouds_file:
        links.make(say)
    return files


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


def _down(arguments: Any) -> int:
    say = Teller()
    state = arguments.state
    with lab_claim.alone("down"):
        lab_claim.check(state)
        if not state.exists():
            say(f"there is no cloud in {state}")
            return 0
        processes = _processes(state)
        if processes.stop(SERVICE):
            say("stopped the cloud")
        hypervisor.stop(state, processes, say, grace=0 if arguments.purge else _GRACE)
        for name in processes.names():
            processes.stop(name)
            say(f"stopped {name}")
        _remove_networks(state, say)
        if arguments.purge:
            _forget(state)
            say(f"forgot everything in {state}")
        lab_claim.release(state)
    return 0


def _forget(state: Path) -> None:
    facts = lab_claim.remembered(state)
    files = [Path(path) for path in facts.get("clouds_files", [])]
    lab_logins.forget(Lab(state, facts.get("port_offset", 0)), files)
    links.remove()
    lab_claim.forget(state)


def _remove_networks(state: Path, say: Teller) -> None:
    """Bridges, DHCP servers and firewall rules of the lab."""
    directory = state / "networks"
    if not directory.exists():
        return
    from kilonova.lab.networks.linux import LinuxPlumbing  # noqa: PLC0415  # only where there is something to remove
    from kilonova.lab.networks.options import LabNetworkOptions  # noqa: PLC0415

    LinuxPlumbing(LabNetworkOptions(state_path=str(directory))).teardown()
    say("removed the lab's networks from this machine")


def _doctor(arguments: Any) -> int:
    from kilonova.cli.doctor.command import run  # noqa: PLC0415  # it loads all that it checks, a second's worth

    return run(arguments)


def _status(arguments: Any) -> int:
    processes = _processes(arguments.state)
    for name in processes.names() or [SERVICE]:
        pid = processes.running(name)
        print(f"{name:12} {'pid ' + str(pid) if pid else 'not running'}")
    return 0 if processes.running(SERVICE) else 1


if __name__ == "__main__":
    sys.exit(main())
