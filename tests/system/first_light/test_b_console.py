"""The URL that the API returns opens the guest's screen in a browser."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, sync_playwright
from tests.system.first_light.newcomer import Newcomer, Shell

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(300),
    pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium here (Ubuntu has it as a snap only)"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # playwright's own, of asyncio in newer Pythons
]

QUIET = ["--no-sandbox", "--disable-gpu", "--no-proxy-server", "--disable-background-networking"]
COLOURS = """() => {
    const canvas = document.querySelector('canvas');
    if (!canvas || !canvas.width || !canvas.height) return 0;
    const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    const seen = new Set();
    for (let i = 0; i < data.length; i += 4) seen.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
    return seen.size;
}"""


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
        try:
            yield browser.new_page()
        finally:
            browser.close()


def test_the_url_that_up_printed_draws_the_screen(cloud: Newcomer, tab: Page) -> None:
    tab.goto(cloud.first.line("Console URL"))
    tab.wait_for_function(f"({COLOURS})() > 1", timeout=30000)
    assert "Connected" in tab.inner_text("#status")
    width, height = tab.evaluate("(c => [c.width, c.height])(document.querySelector('canvas'))")
    assert (width, height) >= (640, 400)


def test_keys_reach_the_guest(shell: Shell, tab: Page) -> None:
    tab.goto(shell.value("console url show first", "url"))
    tab.wait_for_function(f"({COLOURS})() > 1", timeout=30000)
    tab.locator("canvas").click()
    tab.keyboard.type("dd if=/etc/inittab of=/dev/tty", delay=80)
    tab.keyboard.press("Shift+KeyS", delay=80)
    tab.keyboard.type("0\n", delay=80)
    shell.console("first", "tty1::respawn", 60)


def test_each_url_has_a_token_of_its_own_and_a_wrong_one_says_so(shell: Shell, tab: Page) -> None:
    url = shell.value("console url show first", "url")
    assert url != shell.value("console url show --novnc first", "url")
    wrong = url[:-8] + "AAAAAAAA"
    tab.goto(wrong)
    assert "unknown or has expired" in tab.inner_text("body")


def test_a_console_that_is_not_there_is_refused_with_words(shell: Shell) -> None:
    shell.refused("console url show --spice first", "400")
    shell.refused("console url show nonsense", "No Server found for nonsense")
