"""A real browser opens noVNC through the proxy onto a real QEMU's screen."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from kilonova.console.novnc import NoVncProxy
from kilonova.console.options import NoVncOptions, VncOptions
from kilonova.console.target import ConsoleTarget
from kilonova.kit.clock import SystemClock

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium here (Ubuntu has it as a snap only)"),
]

TOKEN = "d6f0c1d8-7d0c-4c52-8c9e-3f1e5a1d2b3c"
QUIET = ["--no-sandbox", "--disable-gpu", "--no-proxy-server", "--disable-background-networking"]

COLOURS = """() => {
    const canvas = document.querySelector('canvas');
    if (!canvas || !canvas.width || !canvas.height) return 0;
    const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    const seen = new Set();
    for (let i = 0; i < data.length; i += 4) seen.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
    return seen.size;
}"""


@pytest.fixture
def vnc(tmp_path: Path) -> Iterator[int]:
    """A machine without any disk: its firmware writes on the screen. QEMU picks a free display."""
    pidfile = tmp_path / "pid"
    command = ["qemu-system-x86_64", "-accel", "tcg", "-m", "64", "-nic", "none", "-vga", "std", "-daemonize"]
    command += ["-vnc", "127.0.0.1:70,to=99", "-pidfile", str(pidfile)]
    command += ["-qmp", f"unix:{tmp_path}/qmp,server,nowait"]
    subprocess.run(command, check=True, timeout=30)
    pid = int(pidfile.read_text())
    try:
        yield listening_port(pid)
    finally:
        os.kill(pid, 15)


def listening_port(pid: int) -> int:
    """The VNC port of QEMU, from the kernel's table of its listening sockets (proc_net(5))."""
    links = [str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir() if entry.is_symlink()]
    inodes = {link[8:-1] for link in links if link.startswith("socket:[")}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and fields[9] in inodes:
            return int(fields[1].partition(":")[2], 16)
    raise AssertionError("QEMU listens on no port")


@pytest.fixture
def proxy(vnc: int) -> Iterator[NoVncProxy]:
    def redeem(token: str) -> ConsoleTarget | None:
        expires: datetime = SystemClock().now() + timedelta(minutes=10)
        known = ConsoleTarget(host="127.0.0.1", port=vnc, server="s1", kind="novnc", expires=expires)
        return known if token == TOKEN else None

    made = NoVncProxy(NoVncOptions(vnc=VncOptions(novncproxy_host="127.0.0.1", novncproxy_port=0)), redeem)
    made.start()
    try:
        yield made
    finally:
        made.stop()


@pytest.mark.parametrize("page", ["vnc_lite.html", "vnc_auto.html"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # playwright's own, of asyncio in newer Pythons
def test_the_screen_is_drawn_in_a_browser(proxy: NoVncProxy, page: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
        try:
            tab = browser.new_page()
            tab.goto(f"http://127.0.0.1:{proxy.port}/{page}?path=%3Ftoken%3D{TOKEN}")
            tab.wait_for_function(f"({COLOURS})() > 1", timeout=30000)
            assert "Connected" in tab.inner_text("#status")
        finally:
            browser.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_wrong_token_shows_no_screen(proxy: NoVncProxy) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
        try:
            tab = browser.new_page()
            tab.goto(f"http://127.0.0.1:{proxy.port}/vnc_lite.html?path=%3Ftoken%3Dwrong")
            assert "unknown or has expired" in tab.inner_text("body")
        finally:
            browser.close()
