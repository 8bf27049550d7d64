"""What a newcomer has: the ``kilonova`` command, a shell with ``openstack``, and a cloud that they make."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROGRAMS = Path(sys.executable).parent
STATE = Path("/var/tmp/kn-test")  # sockets' paths are short, which pytest's directories are not
CLOUDS = Path("/var/tmp/kn-test-clouds.yaml")
OFFSET = 20000
READY = "GUEST READY"
Done = subprocess.CompletedProcess[str]


@dataclass
class Answer:
    """What a command of ``openstack`` gave."""

    command: str
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def value(self) -> str:
        return self.out.strip()


class Shell:
    """A shell with ``openstack`` in it, logged in by clouds.yaml."""

    def __init__(self, clouds: Path) -> None:
        self.environ = {"OS_CLIENT_CONFIG_FILE": str(clouds)}
        worker = [sys.executable, str(Path(__file__).with_name("osc_worker.py"))]
        clean = {name: text for name, text in os.environ.items() if not name.startswith("OS_")}
        pipe = subprocess.PIPE
        self._worker = subprocess.Popen(worker, stdin=pipe, stdout=pipe, text=True, env=clean)

    def try_(self, command: str, cloud: str = "kilonova") -> Answer:
        """Whatever comes of it."""
        assert self._worker.stdin is not None
        assert self._worker.stdout is not None
        request = {"arguments": shlex.split(command), "environ": {**self.environ, "OS_CLOUD": cloud}}
        self._worker.stdin.write(json.dumps(request) + "\n")
        self._worker.stdin.flush()
        return Answer(command, **json.loads(self._worker.stdout.readline()))

    def run(self, command: str, cloud: str = "kilonova") -> Answer:
        """It works."""
        answer = self.try_(command, cloud)
        assert answer.code == 0, f"openstack {command}: {answer.code}\n{answer.out}{answer.err}"
        return answer

    def json(self, command: str, cloud: str = "kilonova") -> Any:
        return self.run(f"{command} -f json", cloud).json

    def value(self, command: str, column: str, cloud: str = "kilonova") -> str:
        return self.run(f"{command} -f value -c {shlex.quote(column)}", cloud).value

    def refused(self, command: str, *words: str, cloud: str = "kilonova") -> str:
        """It fails, and its words say why."""
        answer = self.try_(command, cloud)
        text = answer.out + answer.err
        assert answer.code != 0, f"openstack {command} works: {text}"
        for word in words:
            assert word in text, f"openstack {command}: no {word!r} in {text}"
        return text

    def until(self, command: str, column: str, wanted: str, seconds: float = 60) -> None:
        """The column of a ``show`` gets this value."""
        eventually(lambda: self.value(command, column), lambda found: found == wanted, seconds)

    def status(self, server: str, wanted: str) -> None:
        self.until(f"server show {server}", "status", wanted)

    def console(self, server: str, word: str, seconds: float = 120) -> str:
        """The guest's console, once it has ``word``."""
        show = f"console log show {server}"
        return str(eventually(lambda: self.run(show).out, lambda text: word in text, seconds))

    def close(self) -> None:
        assert self._worker.stdin is not None
        assert self._worker.stdout is not None
        self._worker.stdin.close()
        self._worker.wait(10)
        self._worker.stdout.close()


def eventually(look: Callable[[], Any], good: Callable[[Any], bool], seconds: float) -> Any:
    """What ``look`` finds, once it is ``good``."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if good(found):
            return found
        assert time.monotonic() < end, f"not within {seconds} s; last: {found}"
        time.sleep(0.3)


@dataclass
class Summary:
    """What ``kilonova up`` printed at its end."""

    text: str

    def line(self, name: str) -> str:
        found = re.search(rf"^{name} +(.*)$", self.text, re.MULTILINE)
        assert found, f"no {name} in {self.text}"
        return found[1]

    @property
    def commands(self) -> list[str]:
        return [line.strip() for line in self.text.partition("Try next:")[2].splitlines() if line.strip()]


@dataclass
class Newcomer:
    """Someone with a cloud of their own, in its own directory and on its own ports."""

    state: Path = STATE
    clouds: Path = CLOUDS
    first: Summary = field(default_factory=lambda: Summary(""))

    def kilonova(self, *words: str, prefix: tuple[str, ...] = (), environ: Mapping[str, str] | None = None) -> Done:
        command = [*prefix, str(PROGRAMS / "kilonova"), *words, "--state", str(self.state)]
        found = {**os.environ, **(environ or {})}
        return subprocess.run(command, capture_output=True, text=True, timeout=280, check=False, env=found)

    @property
    def up_words(self) -> tuple[str, ...]:
        return ("up", "--port-offset", str(OFFSET), "--clouds-file", str(self.clouds))

    def up(self) -> Summary:
        done = self.kilonova(*self.up_words)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{self.log()}"
        return Summary(done.stdout)

    def down(self, *words: str) -> str:
        done = self.kilonova("down", *words)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def pid(self) -> int:
        """The all-in-one's process."""
        return int((self.state / "run" / "kilonova.pid").read_text().split()[0])

    def log(self) -> str:
        path = self.state / "log" / "kilonova.log"
        return path.read_text()[-400_000:] if path.exists() else ""

    def processes(self) -> list[str]:
        """Command lines that mention our directory: guests, DHCP servers, daemons."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                except (FileNotFoundError, ProcessLookupError):
                    continue
                if str(self.state) + "/" in line:
                    found.append(line)
        return found


def openstack(*words: str, cloud: str = "kilonova", clouds: Path = CLOUDS) -> Done:
    """The client as a process of its own, as a shell starts it."""
    environ = {"PATH": os.environ["PATH"], "OS_CLIENT_CONFIG_FILE": str(clouds), "OS_CLOUD": cloud, "HOME": "/root"}
    program = shutil.which(str(PROGRAMS / "openstack"))
    assert program
    return subprocess.run([program, *words], capture_output=True, text=True, timeout=120, check=False, env=environ)
