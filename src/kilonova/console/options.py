"""Options of the console proxies, with upstream's names, sections and defaults."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Self

from kilonova.kit.options import Configuration, opt


@dataclass(frozen=True, kw_only=True)
class ListenerOptions:
    """The part of section ``[DEFAULT]`` that every console proxy reads."""

    GROUP: ClassVar[str] = "DEFAULT"
    ssl_only: bool = opt(default=False, help_text="refuse connections without TLS")
    cert: str = opt("self.pem", "TLS certificate; TLS is offered when the file exists")
    key: str | None = opt(None, "TLS key; empty means it is in the certificate's file")
    record: str | None = opt(None, "record sessions in files with this prefix: what is seen and typed, passwords too")
    web: str = opt("/usr/share/spice-html5", "directory of the console client's pages, where they are not Debian's")

    def pages(self, entry: str, usual: str) -> Path:
        """``web`` when it has the page ``entry``, else ``usual``: three kinds of proxies share one option."""
        wanted = Path(self.web)
        return wanted if (wanted / entry).exists() else Path(usual)


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
    auth_schemes: list[str] = opt(["none"], "security towards compute hosts, best first: vencrypt, none")
    vencrypt_client_key: str | None = opt(None, "key of the certificate shown to compute hosts")
    vencrypt_client_cert: str | None = opt(None, "certificate shown to compute hosts")
    vencrypt_ca_certs: str | None = opt(None, "authorities of the compute hosts' certificates")


@dataclass(frozen=True, kw_only=True)
class SpiceOptions:
    """The part of section ``[spice]`` that the proxy reads."""

    GROUP: ClassVar[str] = "spice"
    enabled: bool = opt(default=False, help_text="offer SPICE consoles")
    html5proxy_host: str = opt("0.0.0.0", "address to listen on")
    html5proxy_port: int = opt(6082, "port to listen on", min=0, max=65535)


@dataclass(frozen=True, kw_only=True)
class SerialOptions:
    """The part of section ``[serial_console]`` that the proxy reads."""

    GROUP: ClassVar[str] = "serial_console"
    enabled: bool = opt(default=False, help_text="offer serial consoles")
    serialproxy_host: str = opt("0.0.0.0", "address to listen on")
    serialproxy_port: int = opt(6083, "port to listen on", min=0, max=65535)


@dataclass(frozen=True, kw_only=True)
class ProxyOptions:
    """What every console proxy reads besides its own section."""

    listener: ListenerOptions = ListenerOptions()
    console: ConsoleOptions = ConsoleOptions()
    session: SessionOptions = SessionOptions()

    @classmethod
    def of(cls, configuration: Configuration) -> Self:
        """Each field is a section."""
        sections: dict[str, Any] = {field.name: configuration.section(type(field.default)) for field in fields(cls)}
        return cls(**sections)


@dataclass(frozen=True, kw_only=True)
class NoVncOptions(ProxyOptions):
    """All that ``NoVncProxy`` reads."""

    vnc: VncOptions = VncOptions()


@dataclass(frozen=True, kw_only=True)
class SpiceProxyOptions(ProxyOptions):
    """All that ``SpiceProxy`` reads."""

    spice: SpiceOptions = SpiceOptions()


@dataclass(frozen=True, kw_only=True)
class SerialProxyOptions(ProxyOptions):
    """All that ``SerialProxy`` reads."""

    serial: SerialOptions = SerialOptions()
