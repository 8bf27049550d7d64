from pathlib import Path

from kilonova.console.options import NoVncOptions
from kilonova.kit.options import from_mapping


def test_options_come_from_their_sections() -> None:
    options = NoVncOptions.of(
        from_mapping(
            {
                "vnc": {"novncproxy_port": 7000},
                "DEFAULT": {"ssl_only": True},
                "console": {"allowed_origins": ["a", "b"]},
                "consoleauth": {"enforce_session_timeout": True},
            }
        )
    )
    assert options.vnc.novncproxy_port == 7000
    assert options.listener.ssl_only
    assert options.console.allowed_origins == ["a", "b"]
    assert options.session.enforce_session_timeout


def test_web_is_used_when_it_holds_novnc(tmp_path: Path) -> None:
    (tmp_path / "vnc_lite.html").write_text("page")
    options = NoVncOptions.of(from_mapping({"DEFAULT": {"web": str(tmp_path)}}))
    assert options.web == tmp_path


def test_another_clients_directory_leads_to_debians_novnc(tmp_path: Path) -> None:
    options = NoVncOptions.of(from_mapping({"DEFAULT": {"web": str(tmp_path)}}))
    assert options.web == Path("/usr/share/novnc")
