import ssl
from pathlib import Path

import pytest
from tests.authority import Authority

from kilonova.console.options import ConsoleOptions, ListenerOptions
from kilonova.console.proxy import tls_context
from kilonova.kit.options import BadConfiguration


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


def test_versions_and_ciphers_are_as_configured(tmp_path: Path) -> None:
    certificate, key = (str(path) for path in Authority(tmp_path).sign("server", "localhost"))
    listener = ListenerOptions(cert=certificate, key=key)
    made = tls_context(
        listener, ConsoleOptions(ssl_minimum_version="tlsv1_3", ssl_ciphers="ECDHE-ECDSA-AES256-GCM-SHA384")
    )
    assert made is not None
    assert made.minimum_version == ssl.TLSVersion.TLSv1_3
    older = {cipher["name"] for cipher in made.get_ciphers() if not cipher["name"].startswith("TLS_")}
    assert older == {"ECDHE-ECDSA-AES256-GCM-SHA384"}
    with pytest.raises(BadConfiguration, match="ssl_ciphers"):
        tls_context(listener, ConsoleOptions(ssl_ciphers="nonsense"))
