from pathlib import Path

import pytest

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
