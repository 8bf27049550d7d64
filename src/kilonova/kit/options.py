"""Options of ``nova.conf`` as frozen dataclasses, loaded by oslo.config.

A section is declared beside the code that reads it::

    @dataclass(frozen=True)
    class ConsoleOptions:
        GROUP: ClassVar[str] = "vnc"
        enabled: bool = opt(True, "offer VNC consoles")

``load`` registers the sections, reads files and command line, and ``section`` gives an instance.
Only this module and its siblings in ``kit`` know oslo.config.
"""

import dataclasses
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from oslo_config import cfg, sources

from kilonova.kit.errors import Invalid

LOG = logging.getLogger(__name__)
T = TypeVar("T")
_OPT_TYPES: dict[type, Any] = {str: cfg.StrOpt, int: cfg.IntOpt, float: cfg.FloatOpt, bool: cfg.BoolOpt}


class BadConfiguration(Invalid):
    """A configuration file or option cannot be used; the message names it."""

    template = "Configuration: {reason}"


def opt(default: Any, help_text: str, *, name: str | None = None, **details: Any) -> Any:
    """A dataclass field that is an option.

    ``details`` go to oslo.config: ``choices``, ``min``, ``max``, ``deprecated_name``, ``deprecated_group``, ``secret``.
    ``name`` is the option's name where it is not a Python identifier.
    """
    metadata = {"help": help_text, "name": name, "details": details}
    if isinstance(default, list | dict):
        return dataclasses.field(default_factory=lambda: type(default)(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def _option(field: "dataclasses.Field[Any]", hint: Any) -> Any:
    default = (
        field.default_factory()
        if field.default_factory is not dataclasses.MISSING
        else (None if field.default is dataclasses.MISSING else field.default)
    )
    details = dict(field.metadata["details"])
    multi = details.pop("multi", False)
    name = field.metadata["name"] or field.name
    kwargs = {"default": default, "help": field.metadata["help"], **details}
    origin = get_origin(hint)
    if origin is list:
        kind = cfg.MultiStrOpt if multi else cfg.ListOpt
        return kind(name, **kwargs)
    if origin is dict:
        return cfg.DictOpt(name, **kwargs)
    plain = [arg for arg in get_args(hint) if arg is not type(None)] or [hint]
    return _OPT_TYPES[plain[0]](name, **kwargs)


def options_of(section: type[Any]) -> list[Any]:
    """The oslo.config options a section declares."""
    hints = get_type_hints(section)
    return [_option(f, hints[f.name]) for f in dataclasses.fields(section) if "help" in f.metadata]


class Configuration:
    """Loaded configuration; give it a section class to get that section's values."""

    def __init__(self, read: Callable[[], Any]) -> None:
        self._read = read
        self.oslo = read()
        """The oslo.config object, for the oslo libraries that want it (inside ``kit`` only)."""

    def apart(self) -> Any:
        """The same values in an oslo.config object of its own, for libraries that name options as we do."""
        return self._read()

    def section(self, cls: type[T], group: str | None = None) -> T:
        """Values of section ``cls``; ``group`` reads the same options from another section."""
        where = group or cls.GROUP  # type: ignore[attr-defined]  # every section class names its group
        register(self.oslo, cls, where)
        source = self.oslo if where == "DEFAULT" else getattr(self.oslo, where.replace("-", "_"))
        fields = [f for f in dataclasses.fields(cls) if "help" in f.metadata]  # type: ignore[arg-type]
        try:
            values = {f.name: getattr(source, (f.metadata["name"] or f.name).replace("-", "_")) for f in fields}
        except (cfg.ConfigFileValueError, cfg.TemplateSubstitutionError) as error:
            raise BadConfiguration(reason=f"section [{where}]: {error}") from error
        return cls(**values)

    def override(self, cls: type[Any], values: Mapping[str, Any]) -> None:
        """Set options of a section, over what the files say: for arguments of the command line."""
        register(self.oslo, cls)
        for name, value in values.items():
            self.oslo.set_override(name, value, group=None if cls.GROUP == "DEFAULT" else cls.GROUP)

    def register_oslo(self, options: Iterable[Any], group: str) -> None:
        """Register options that a library declares itself, as oslo.config objects."""
        self.oslo.register_opts(list(options), group=group)

    def values(self, group: str) -> Mapping[str, Any]:
        """Raw strings of a whole section as the files have them, unknown options too."""
        namespace = self.oslo._namespace  # noqa: SLF001  # oslo.config has no public view of unregistered options
        found: dict[str, Any] = {}
        for parsed in getattr(namespace, "_parsed", []) if namespace else []:
            found.update({k: v[-1] for k, v in parsed.get(group, {}).items()})
        return found


def register(conf: Any, cls: type[Any], group: str | None = None) -> None:
    """Register a section's options; registering again is harmless."""
    where = group or cls.GROUP
    for option in options_of(cls):
        _register_one(conf, option, None if where == "DEFAULT" else where)


def _register_one(conf: Any, option: Any, group: str | None) -> None:
    try:
        conf.register_opt(option, group=group)
    except cfg.DuplicateOptError:
        # Two rooms may read one option, each saying in its own words what for; it must be the same option, though.
        known = (conf._groups[group] if group else conf)._opts[option.dest]["opt"]  # noqa: SLF001  # no public view
        if type(known) is not type(option) or known.default != option.default:
            raise


def load(
    program: str, argv: Sequence[str] = (), *, files: Iterable[str] | None = None, project: str = "nova"
) -> Configuration:
    """Read ``--config-file``/``--config-dir`` (default: the usual places of ``project``).

    Raises BadConfiguration, naming the file and line that cannot be read.
    """
    found = list(files) if files is not None else None

    def read() -> Any:
        conf = cfg.ConfigOpts()
        try:
            conf(list(argv), project=project, prog=program, default_config_files=found)
        except cfg.Error as error:
            raise BadConfiguration(reason=" ".join(str(error).split())) from error
        return conf

    return Configuration(read)


def from_mapping(values: Mapping[str, Mapping[str, Any]]) -> Configuration:
    """A configuration made in code: ``{section: {option: value}}``. For tests and embedding."""
    pending = {group: dict(options) for group, options in values.items()}

    def read() -> Any:
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[], default_config_dirs=[])
        conf._sources.append(_Mapping(pending))  # noqa: SLF001  # sources are public, putting one in without a driver is not
        return conf

    return _Overridden(read, pending)


class _Mapping(sources.ConfigurationSource):
    """Answers for options that libraries register by themselves, whenever they do (keystonemiddleware)."""

    def __init__(self, values: Mapping[str, Mapping[str, Any]]) -> None:
        super().__init__()
        self._values = values

    def get(self, group_name: str | None, option_name: str, opt: Any) -> Any:
        given = self._values.get(group_name or "DEFAULT", {})
        for name in (option_name, opt.name):
            if name in given:
                return given[name], cfg.LocationInfo(cfg.Locations.user, f"[{group_name}] given in code")
        return sources._NoValue, None  # noqa: SLF001  # what a source is told to answer


class _Overridden(Configuration):
    def __init__(self, read: Callable[[], Any], pending: Mapping[str, Mapping[str, Any]]) -> None:
        super().__init__(read)
        self._pending = pending

    def section(self, cls: type[T], group: str | None = None) -> T:
        where = group or cls.GROUP  # type: ignore[attr-defined]  # every section class names its group
        register(self.oslo, cls, where)
        names = {f.metadata["name"] or f.name for f in dataclasses.fields(cls) if "help" in f.metadata}  # type: ignore[arg-type]
        for name, value in self._pending.get(where, {}).items():
            if name in names:
                self.oslo.set_override(name, value, group=None if where == "DEFAULT" else where)
        return super().section(cls, group)

    def register_oslo(self, options: Iterable[Any], group: str) -> None:
        declared = list(options)
        super().register_oslo(declared, group)
        pending = self._pending.get(group, {})
        for option in declared:
            if option.dest in pending:
                self.oslo.set_override(option.dest, pending[option.dest], group=group)

    def values(self, group: str) -> Mapping[str, Any]:
        return self._pending.get(group, {})
