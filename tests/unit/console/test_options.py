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


def test_web_is_used_when_it_holds_the_page(tmp_path: Path) -> None:
    listener = NoVncOptions.of(from_mapping({"DEFAULT": {"web": str(tmp_path)}})).listener
    assert listener.pages("vnc_lite.html", "/usr/share/novnc") == Path("/usr/share/novnc")
    (tmp_path / "vnc_lite.html").write_text("page")
    assert listener.pages("vnc_lite.html", "/usr/share/novnc") == tmp_path
