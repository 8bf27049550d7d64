"""Logs: oslo.log's options, formats and destinations, and on every line what it is about.

What a thread works on (request, caller, server, operation) is kept in a context variable, goes along with messages of
the bus and requests to neighbours, and comes out in text and JSON. Passwords and tokens are blotted out.
"""

import contextvars
import logging
import logging.handlers
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from types import MappingProxyType
from typing import Any, ParamSpec, TypeVar

from oslo_config import cfg
from oslo_log import _options, log  # public only as an entry point, which reads every installed distribution

from kilonova.kit.options import BadConfiguration, Configuration
from kilonova.kit.reload import on_reload

P = ParamSpec("P")
T = TypeVar("T")
Facts = Mapping[str, str]
"""``request_id``, ``global_request_id``, ``server``, ``operation``, and who calls, in the words of oslo.log."""

_NOTHING: Facts = MappingProxyType({})
_FACTS: ContextVar[Facts] = ContextVar("facts", default=_NOTHING)
_SECRETS = re.compile(
    r"(?P<url>\b[a-z][a-z0-9+]*://[^\s:/@]*:)[^\s@/]+(?=@)"
    r"|(?P<token>\bgAAAAA)[\w=-]{20,}"
    r"|(?P<named>(?:password|secret|x-auth-token|x-service-token)\\?[\"']?\s*[:=]\s*\\?[\"']?)[^\s\"',}\\]+",
    re.IGNORECASE,
)
_QUIET = {
    "amqplib": logging.WARNING,
    "kombu": logging.WARNING,
    "urllib3": logging.WARNING,
    "requests": logging.WARNING,
    "alembic": logging.WARNING,
    "_granian": logging.WARNING,
}
"""Libraries that talk too much, also with ``debug``, beside those of ``default_log_levels``."""


def blotted(text: str) -> str:
    """The text without passwords of URLs, tokens, and values that are named as secrets."""
    return _SECRETS.sub(lambda m: f"{m['url'] or m['token'] or m['named'] or ''}***", text)


# -- what lines are about --
def begin(**facts: str | None) -> Token[Facts]:
    """From here on this thread works for that, and for nothing else; until ``end`` of what this returns."""
    return _FACTS.set(_filled(facts))


def end(token: Token[Facts]) -> None:
    """Back to what was worked on before ``begin``."""
    _FACTS.reset(token)


@contextmanager
def working_for(**facts: str | None) -> Iterator[None]:
    """Lines logged inside are about that, and nothing else."""
    before = begin(**facts)
    try:
        yield
    finally:
        end(before)


def add(**facts: str | None) -> None:
    """What this thread works for is also about that."""
    _FACTS.set({**_FACTS.get(), **_filled(facts)})


def facts() -> dict[str, str]:
    """For sending along; ``working_for(**facts)`` is the other end."""
    return dict(_FACTS.get())


def inheriting(work: Callable[P, T]) -> Callable[P, T]:
    """``work`` for another thread, whose lines are then about what this one's are now."""
    here = contextvars.copy_context()

    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return here.copy().run(work, *args, **kwargs)

    return run


def _filled(given: Mapping[str, str | None]) -> Facts:
    return {name: value for name, value in given.items() if value}


class _About(logging.Filter):
    """Puts the facts where oslo.log's formats look for them."""

    def __init__(self, server_format: str) -> None:
        super().__init__()
        self._server = server_format

    def filter(self, record: logging.LogRecord) -> bool:
        known = _FACTS.get()
        record.context = {"global_request_id": "-", **known} if "request_id" in known else known
        about = self._server % {"uuid": known["server"]} if "server" in known else ""
        if "operation" in known:
            about += f"[operation: {known['operation']}] "
        if about:
            record.instance = about
        return True


class _Blotted(logging.Formatter):
    """Another formatter's lines without secrets."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        return blotted(self._inner.format(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802  # logging's name
        return blotted(self._inner.formatException(ei))


# -- where they go --
def register(configuration: Configuration) -> None:
    """Make oslo.log's options known."""
    configuration.register_oslo([option for _, options in _options.list_opts() for option in options], "DEFAULT")


def set_up(configuration: Configuration, program: str, given: Mapping[str, Any] = _NOTHING) -> None:
    """Send logs where the configuration says, standard error if nowhere; ``given`` options win over the files.

    Raises BadConfiguration.
    """
    register(configuration)
    conf = configuration.oslo
    for name, value in given.items():
        conf.set_override(name, value)
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(level)
    try:
        if conf.log_dir and not conf.log_file:
            conf.set_override("log_file", f"{program}.log")
        if not (conf.log_file or conf.use_journal):
            conf.set_override("use_stderr", True)  # noqa: FBT003  # oslo.config's
        log.setup(conf, program, fix_eventlet=False)
        about = _About(conf.instance_uuid_format)
    except OSError as error:
        raise BadConfiguration(reason=f"[DEFAULT] log_file or log_dir: {error}") from error
    except (cfg.Error, log.LogConfigError, RuntimeError, TypeError, ValueError) as error:
        raise BadConfiguration(reason=f"[DEFAULT], options of logs: {error}") from error
    logging.captureWarnings(capture=True)
    for handler in logging.getLogger().handlers:
        handler.addFilter(about)
        handler.setFormatter(_Blotted(handler.formatter or logging.Formatter()))
    on_reload("logs", lambda: _again(configuration))


def _again(configuration: Configuration) -> None:
    """``debug`` as the files have it now, and files opened anew after log rotation."""
    configuration.reread()
    logging.getLogger().setLevel(logging.DEBUG if configuration.oslo.debug else logging.INFO)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.handlers.WatchedFileHandler):
            handler.reopenIfNeeded()
