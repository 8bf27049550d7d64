"""Options of the console proxies, with upstream's names, sections and defaults."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from kilonova.kit.options import Configuration, opt


@dataclass(frozen=True, kw_only=True)
class ListenerOptions:
    """The part of section ``[DEFAULT]`` that every console proxy reads."""

    GROUP: ClassVar[str] = "DEFAULT"
    ssl_only: bool = opt(default=False, help_text="refuse connections without TLS")
    cert: str = opt("self.pem", "TLS certificate; TLS is offered when the file exists")
    key: str | None = opt(None, "TLS key; empty means it is in the certificate's file")
    web: str = opt("/usr/share/novnc", "directory of the console client's pages")


@dataclass(frozen=True, kw_only=True)
class ConsoleOptions:
    """Section ``[console]``."""

    GROUP: ClassVar[str] = "console"
    allowed_origins: list[str] = opt([], "host names of pages, besides our own, that may open consoles")
    ssl_ciphers: str | None = opt(None, "OpenSSL cipher list")
    ssl_minimum_version: str = opt(
        "default", "lowest TLS version", choices=["default", "tlsv1_1", "tlsv1_2", "tlsv1_3"]
    )


@dataclass(frozen=True, kw_only=True)
class SessionOptions:
    """The part of section ``[consoleauth]`` that proxies read."""

    GROUP: ClassVar[str] = "consoleauth"
    enforce_session_timeout: bool = opt(default=False, help_text="close sessions when their token expires")


@dataclass(frozen=True, kw_only=True)
class VncOptions:
    """The part of section ``[vnc]`` that the proxy reads."""

    GROUP: ClassVar[str] = "vnc"
    novncproxy_host: str = opt("0.0.0.0", "address to listen on")
    novncproxy_port: int = opt(6080, "port to listen on", min=0, max=65535)
    auth_schemes: list[str] = opt(["none"], "security types used towards compute hosts")


@dataclass(frozen=True, kw_only=True)
class NoVncOptions:
    """All that ``NoVncProxy`` reads."""

    vnc: VncOptions = VncOptions()
    listener: ListenerOptions = ListenerOptions()
    console: ConsoleOptions = ConsoleOptions()
    session: SessionOptions = SessionOptions()

    @classmethod
    def of(cls, configuration: Configuration) -> "NoVncOptions":
        return cls(
            vnc=configuration.section(VncOptions),
            listener=configuration.section(ListenerOptions),
            console=configuration.section(ConsoleOptions),
            session=configuration.section(SessionOptions),
        )

    @property
    def web(self) -> Path:
        """The directory of noVNC, also when ``web`` names none that exists (its upstream default is SPICE's)."""
        wanted = Path(self.listener.web)
        return wanted if (wanted / "vnc_lite.html").exists() else Path("/usr/share/novnc")
