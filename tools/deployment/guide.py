"""The installation guide as something to execute: its blocks, with addresses and passwords of the companion services.

What a block is for stands behind its language: ```` ```ini /etc/nova/nova.conf controller ```` is a file of that host,
```` ```sh controller ```` are commands to run there, and a ```` ```text ```` block after it is what they print.
"""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deployment.services import BIN
from deployment.stack import ROOT

GUIDE = ROOT / "docs" / "install.md"
_FENCE = re.compile(r"^```(?P<words>\S[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (?P<title>.+)$", re.MULTILINE)
HERE: Mapping[str, str] = {
    "NOVAPASS@controller": "dbpass@127.0.0.1:13306",
    "PLACEMENTDBPASS@controller": "dbpass@127.0.0.1:13306",
    "openstack:RABBITPASS@controller": "stack:mqpass@127.0.0.1:13672",
    "controller:11211": "127.0.0.1:13211",
    "controller": "127.0.0.1",
    "10.0.0.11": "127.0.0.1",
    "10.0.0.31": "127.0.0.1",
    "NOVASERVICEPASS": "servicepass",
    "PLACEMENTPASS": "servicepass",
    "NEUTRONPASS": "servicepass",
    "METADATASECRET": "metadatasecret",
    "cirros": "tinyguest",
}
"""Longer words first: what the guide calls a thing, and what it is here."""


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    step: str
    """Heading it stands under."""
    language: str
    words: tuple[str, ...]
    text: str


def blocks(page: str) -> list[Block]:
    """All blocks in order."""
    headings = [(found.start(), found["title"]) for found in _HEADING.finditer(_FENCE.sub(_blank, page))]
    found = []
    for fence in _FENCE.finditer(page):
        language, *words = fence["words"].split()
        step = next((title for start, title in reversed(headings) if start < fence.start()), "")
        found.append(Block(step, language, tuple(words), fence["text"]))
    return found


def _blank(fence: "re.Match[str]") -> str:
    """As long, so that places stay; without what looks like a heading and is a comment of a shell."""
    return " " * len(fence[0])


def here(text: str) -> str:
    """The text with this machine's addresses and passwords."""
    for word, meant in HERE.items():
        text = text.replace(word, meant)
    return text


@dataclass
class Host:
    """A host of the guide: a home directory that has its /etc/nova, and commands that see it."""

    directory: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def place(self, path: str) -> Path:
        """Where a file of the guide is here; programs find ``~/.nova`` before ``/etc/nova``."""
        return self.directory / re.sub(r"^/etc/(nova|placement)/", r".\1/", path)

    def write(self, path: str, text: str) -> None:
        target = self.place(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch(mode=0o600)
        target.write_text(text)

    def environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        own |= {"HOME": str(self.directory), "OS_PLACEMENT_CONFIG_DIR": str(self.directory / ".placement")}
        path = self.variables.get("PATH", os.environ["PATH"])
        return {**own, **self.variables, "PATH": f"{BIN}:{path}"}

    def run(self, command: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """One command by the shell; what it prints is in ``stdout``, errors too."""
        return subprocess.run(
            ["sh", "-c", command],
            env=self.environment(),
            cwd=self.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )


def commands(block: Block) -> Iterator[str]:
    """The block's commands; a line that ends with a backslash goes on, comments are left out."""
    for line in here(block.text).replace("\\\n", " ").splitlines():
        if line.strip() and not line.startswith("#"):
            yield line
