"""Logs as lines of text: moment, process, level, where, request, words. Passwords and tokens are blotted out."""

import logging
import logging.handlers
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from kilonova.kit.options import BadConfiguration, Configuration, opt

_REQUEST: ContextVar[str] = ContextVar("request", default="-")
_LINE = "%(asctime)s.%(msecs)03d %(process)d %(levelname)s %(name)s [%(request)s] %(message)s"
_MOMENT = "%Y-%m-%d %H:%M:%S"
_SECRETS = re.compile(
    r"(?P<url>\b[a-z][a-z0-9+]*://[^\s:/@]*:)[^\s@/]+(?=@)"
    r"|(?P<token>\bgAAAAA)[\w=-]{20,}"
    r"|(?P<named>(?:password|secret|x-auth-token|x-service-token)[\"']?\s*[:=]\s*[\"']?)[^\s\"',}]+",
    re.IGNORECASE,
)
_QUIET = {
    "amqp": logging.WARNING,
    "amqplib": logging.WARNING,
    "kombu": logging.WARNING,
    "urllib3": logging.WARNING,
    "requests": logging.WARNING,
    "keystoneauth": logging.WARNING,
    "oslo.messaging": logging.INFO,
    "oslo_messaging": logging.INFO,
    "stevedore": logging.WARNING,
    "alembic": logging.WARNING,
    "_granian": logging.WARNING,
}
"""Libraries that talk too much, also with ``debug``."""


@dataclass(frozen=True)
class LogOptions:
    """``[DEFAULT]``, as far as logs go."""

    GROUP: ClassVar[str] = "DEFAULT"
    debug: bool = opt(default=False, help_text="log at debug level")
    log_file: str | None = opt(None, "log file name", deprecated_name="logfile")
    log_dir: str | None = opt(None, "directory of log files", deprecated_name="logdir")
    use_stderr: bool = opt(default=False, help_text="log to standard error, beside a log file")
    default_log_levels: list[str] = opt([], "logger=LEVEL pairs")


class _Line(logging.Formatter):
    """Knows the request; hides secrets."""

    def format(self, record: logging.LogRecord) -> str:
        record.request = _REQUEST.get()
        return blotted(super().format(record))


def blotted(text: str) -> str:
    """The text without passwords of URLs, tokens, and values that are named as secrets."""
    return _SECRETS.sub(lambda m: f"{m['url'] or m['token'] or m['named'] or ''}***", text)


def request_is(request_id: str | None) -> None:
    """From here on this thread works for that request."""
    _REQUEST.set(request_id or "-")


@contextmanager
def working_for(request_id: str | None) -> Iterator[None]:
    """Lines logged inside name the request."""
    before = _REQUEST.set(request_id or "-")
    try:
        yield
    finally:
        _REQUEST.reset(before)


def set_up(configuration: Configuration, program: str) -> None:
    """Send logs where the configuration says: a file, or standard error. Raises BadConfiguration."""
    options = configuration.section(LogOptions)
    handlers = _handlers(options, program)
    for handler in handlers:
        handler.setFormatter(_Line(_LINE, _MOMENT))
    root = logging.getLogger()
    for old in tuple(root.handlers):
        root.removeHandler(old)
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(logging.DEBUG if options.debug else logging.INFO)
    logging.captureWarnings(capture=True)
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(level)
    for pair in options.default_log_levels:
        _set_level(pair)


def _handlers(options: LogOptions, program: str) -> list[logging.Handler]:
    path = log_path(options, program)
    if path is None:
        return [logging.StreamHandler(sys.stderr)]
    try:
        # Follows a file that log rotation moves away.
        found: list[logging.Handler] = [logging.handlers.WatchedFileHandler(path)]
    except OSError as error:
        raise BadConfiguration(reason=f"[DEFAULT] log_file or log_dir: {error}") from error
    if options.use_stderr:
        found.append(logging.StreamHandler(sys.stderr))
    return found


def log_path(options: LogOptions, program: str) -> Path | None:
    """``log_file`` (inside ``log_dir`` unless absolute), or ``log_dir``/program.log, or None for standard error."""
    if options.log_file:
        return Path(options.log_dir or "", options.log_file)
    if options.log_dir:
        return Path(options.log_dir, f"{program}.log")
    return None


def _set_level(pair: str) -> None:
    name, _, level = pair.partition("=")
    try:
        logging.getLogger(name.strip()).setLevel(level.strip().upper())
    except ValueError as error:
        raise BadConfiguration(reason=f"[DEFAULT] default_log_levels: {pair}: {error}") from error
