"""Step 8 of `docs/install.md`: screens and serial ports in a real browser, typed into, and what the guest answers."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from tests.authority import Authority
from tests.system.first_light.newcomer import OFFSET, STATE, Newcomer, Shell, eventually

from kilonova.cli import lab_claim
from kilonova.cli.host import packages
from kilonova.console import serial

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(600),
    pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium here (Ubuntu has it as a snap only)"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # playwright's own, of asyncio in newer Pythons
]

QUIET = ["--no-sandbox", "--disable-gpu", "--no-proxy-server", "--disable-background-networking"]
PICTURE = """() => {
    const canvas = document.querySelector('canvas');
    if (!canvas || !canvas.width || !canvas.height) return '';
    return canvas.toDataURL();
}"""
COLOURS = """() => {
    const canvas = document.querySelector('canvas');
    if (!canvas || !canvas.width || !canvas.height) return 0;
    const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    const seen = new Set();
    for (let i = 0; i < data.length; i += 4) seen.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
    return seen.size;
}"""
TERMINAL = "() => terminal.text()"
OPTIONS = """
[DEFAULT]
cert = {cert}
key = {key}

[vnc]
novncproxy_base_url = http://127.0.0.1:{vnc}/vnc_auto.html

[spice]
enabled = true
html5proxy_host = 127.0.0.1
html5proxy_port = {spice}
html5proxy_base_url = http://127.0.0.1:{spice}/spice_auto.html

[serial_console]
enabled = true
serialproxy_host = 127.0.0.1
serialproxy_port = {serial}
base_url = ws://127.0.0.1:{serial}/
"""


class Consoles(Newcomer):
    """A cloud with all kinds of consoles."""

    options: Path

    @property
    def up_words(self) -> tuple[str, ...]:
        return (*super().up_words, "--config-file", str(self.options))


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    folder = tmp_path_factory.mktemp("consoles")
    packages.ensure(("spice-html5",), folder / "apt.log", print)
    other = lab_claim.current()
    if other not in {None, STATE}:
        pytest.skip(f"the cloud in {other} is up, and a machine has room for one: kilonova down --state {other}")
    cert, key = Authority(folder).sign("server", "127.0.0.1")
    ports = {"vnc": 6080 + OFFSET, "spice": 6082 + OFFSET, "serial": 6083 + OFFSET}
    cloud = Consoles()
    cloud.options = folder / "consoles.conf"
    cloud.options.write_text(OPTIONS.format(cert=cert, key=key, **ports))
    cloud.down("--purge")
    try:
        cloud.up()
        made = Shell(cloud.clouds)
        yield made
        made.close()
    finally:
        cloud.down("--purge")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
        yield made
        made.close()


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(ignore_https_errors=True)
    yield page
    page.close()


def type_into(tab: Page, word: str) -> None:
    """A command at the shell on the guest's screen that says a word on its serial port, whose log the API shows."""
    tab.keyboard.type(f"echo {word}", delay=80)
    tab.keyboard.press("Shift+Period", delay=80)
    tab.keyboard.type("/dev/tty", delay=80)
    tab.keyboard.press("Shift+KeyS", delay=80)
    tab.keyboard.type("0\n", delay=80)


@pytest.mark.parametrize(("kind", "page"), [("novnc", "vnc_lite.html"), ("spice", "spice_auto.html")])
def test_keys_reach_the_guest_and_its_screen_shows_them(shell: Shell, tab: Page, kind: str, page: str) -> None:
    shell.console("first", "GUEST READY")
    tab.goto(shell.value(f"console url show --{kind} first", "url"))
    assert page in tab.url
    tab.wait_for_function(f"({COLOURS})() > 1", timeout=60000)
    before = tab.evaluate(PICTURE)
    tab.locator("canvas").first.click()
    type_into(tab, f"from{kind}")
    shell.console("first", f"\nfrom{kind}", 60)
    assert tab.evaluate(PICTURE) != before


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_shell_on_the_serial_port_answers(shell: Shell, tab: Page, scheme: str) -> None:
    url = shell.value("console url show --serial first", "url")
    assert url.startswith("ws://127.0.0.1:")
    tab.goto(url.replace("ws:", f"{scheme}:", 1))
    tab.wait_for_function("document.querySelector('#status').innerText == 'Connected'", timeout=30000)
    tab.keyboard.type(f"\necho {scheme} $((6*7))\n", delay=30)
    text = eventually(lambda: tab.evaluate(TERMINAL), lambda seen: f"\n{scheme} 42" in seen, 30)
    assert f"echo {scheme} $((6*7))" in text  # the guest's echo of what was typed


def test_a_stopped_guests_console_closes_and_its_address_is_no_use_any_more(shell: Shell, tab: Page) -> None:
    page = shell.value("console url show --serial first", "url").replace("ws:", "http:", 1)
    tab.goto(page)
    tab.wait_for_function("document.querySelector('#status').innerText == 'Connected'", timeout=30000)
    shell.run("server stop first")
    shell.status("first", "SHUTOFF")
    tab.wait_for_function("document.querySelector('#status').innerText.startsWith('Disconnected')", timeout=30000)
    tab.goto(page)
    assert "unknown or has expired" in tab.inner_text("body")


def test_an_address_opens_its_own_kind_of_console_only(shell: Shell, tab: Page) -> None:
    shell.run("server start first")
    shell.status("first", "ACTIVE")
    url = shell.value("console url show --novnc first", "url")
    token = url.rpartition("token%3D")[2]
    tab.goto(f"http://127.0.0.1:{6083 + OFFSET}/?token={token}")
    assert "unknown or has expired" in tab.inner_text("body")


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("one\r\ntwo\b\bX", "one\ntXo"),
        ("a\tb", "a       b"),
        ("\x1b[2J\x1b[2;3Hhere\x1b[1;1Htop", "top\n  here"),
        ("abcdef\r\x1b[2C\x1b[K", "ab"),
        ("abcdef\r\x1b[2P\x1b[2@", "  cdef"),
        ("x\r\ny\r\nz\x1b[2;1H\x1b[M", "x\nz"),
        ("x\r\ny\x1b[1;1H\x1b[L", "\nx\ny"),
        ("\x1b[1;31mred\x1b[0m plain\x1b]0;title\x07!", "red plain!"),
        ("1\r\n2\r\n3\x1b[2;3r\x1b[3;1H\r\n4\x1b[r", "1\n3\n4"),
        ("n" * 85, "n" * 80 + "\nnnnnn"),
        ("\r\n".join(str(n) for n in range(30)), "\n".join(str(n) for n in range(30))),
        ("caf\u00e9 \x1b[?25l\x1b(B\x1b=ok", "caf\u00e9 ok"),
        ("\x1b[9999999;99999H\x1b[6n.", "\n" * 23 + " " * 79 + "."),
    ],
)
def test_the_page_shows_what_a_terminal_shows(tab: Page, sent: str, shown: str) -> None:
    tab.add_script_tag(path=Path(serial.__file__).with_name("pages") / "screen.js")
    halves = (
        "([text]) => { const s = new Screen(80, 24, () => {}); for (const c of text) s.write(c); return s.text(); }"
    )
    whole = halves.replace("for (const c of text) s.write(c)", "s.write(text)")
    assert tab.evaluate(halves, [sent]).rstrip("\n") == shown
    assert tab.evaluate(whole, [sent]).rstrip("\n") == shown
