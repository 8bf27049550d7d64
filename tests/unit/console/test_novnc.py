from pathlib import Path

import pytest

from kilonova.console.novnc import NoPages, NoVncProxy, redirects, tls_context
from kilonova.console.options import ConsoleOptions, ListenerOptions, NoVncOptions, VncOptions
from kilonova.kit.options import BadConfiguration


def test_the_old_page_leads_to_the_one_that_connects_by_itself(tmp_path: Path) -> None:
    (tmp_path / "vnc.html").touch()
    assert redirects(tmp_path)["/vnc_auto.html"] == "/vnc.html?autoconnect=1"
    (tmp_path / "vnc_lite.html").touch()
    assert redirects(tmp_path)["/vnc_auto.html"] == "/vnc_lite.html"


def test_missing_pages_are_named(tmp_path: Path) -> None:
    with pytest.raises(NoPages, match="install the package novnc"):
        redirects(tmp_path)


def test_no_certificate_means_no_tls_unless_it_is_demanded(tmp_path: Path) -> None:
    absent = str(tmp_path / "self.pem")
    assert tls_context(ListenerOptions(cert=absent), ConsoleOptions()) is None
    with pytest.raises(BadConfiguration, match="ssl_only needs a certificate"):
        tls_context(ListenerOptions(cert=absent, ssl_only=True), ConsoleOptions())


def test_a_broken_certificate_is_a_configuration_error(tmp_path: Path) -> None:
    broken = tmp_path / "self.pem"
    broken.write_text("nonsense")
    with pytest.raises(BadConfiguration, match="cert, key"):
        tls_context(ListenerOptions(cert=str(broken)), ConsoleOptions())


def test_a_security_type_that_we_cannot_speak_is_refused() -> None:
    with pytest.raises(BadConfiguration, match="auth_schemes"):
        NoVncProxy(NoVncOptions(vnc=VncOptions(auth_schemes=["vencrypt"])), lambda _: None)
