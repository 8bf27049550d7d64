from pathlib import Path

import pytest

from kilonova.console.novnc import NoVncProxy, redirects
from kilonova.console.options import NoVncOptions, VncOptions
from kilonova.console.proxy import NoPages
from kilonova.kit.options import BadConfiguration


def test_the_old_page_leads_to_the_one_that_connects_by_itself(tmp_path: Path) -> None:
    (tmp_path / "vnc.html").touch()
    assert redirects(tmp_path)["/vnc_auto.html"] == "/vnc.html?autoconnect=1"
    (tmp_path / "vnc_lite.html").touch()
    assert redirects(tmp_path)["/vnc_auto.html"] == "/vnc_lite.html"


def test_missing_pages_are_named(tmp_path: Path) -> None:
    with pytest.raises(NoPages, match="install the package novnc"):
        redirects(tmp_path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"auth_schemes": ["vencrypt"]}, "vencrypt_ca_certs is needed"),
        ({"auth_schemes": ["vencrypt"], "vencrypt_ca_certs": "/nowhere/ca.pem"}, "vencrypt_ca_certs, vencrypt_client"),
        ({"auth_schemes": ["vnc", "none"]}, "a list of vencrypt and none"),
        ({"auth_schemes": []}, "a list of vencrypt and none"),
    ],
)
def test_security_that_cannot_be_had_is_refused_at_start(options: dict[str, object], words: str) -> None:
    with pytest.raises(BadConfiguration, match=words):
        NoVncProxy(NoVncOptions(vnc=VncOptions(**options)), lambda _: None)  # type: ignore[arg-type]  # a table of options
