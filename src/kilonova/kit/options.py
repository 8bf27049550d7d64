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
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from oslo_config import cfg, sources

from kilonova.kit.errors import Invalid
from kilonova.kit.usual_files import closed

LOG = logging.getLogger(__name__)
T = TypeVar("T")
_OPT_TYPES: dict[type, Any] = {str: cfg.StrOpt, int: cfg.IntOpt, float: cfg.FloatOpt, bool: cfg.BoolOpt}
_REFERENCE = re.compile(r"\\\$|\$\$|\$\{?([_a-z][._a-z0-9]*)", re.IGNORECASE)
"""What oslo.config takes for the name of another option inside a value."""
_LIBRARIES = ("oslo_", "keystone_authtoken", "cors", "profiler", "vif_plug_", "os_vif_", "os_brick")
"""How sections begin whose options are for libraries to know."""


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
        field: Any = dataclasses.field(default_factory=lambda: type(default)(default), metadata=metadata)
    else:
        field = dataclasses.field(default=default, metadata=metadata)
    field.__class__ = _Declared
    return field


_SECTIONS: list[type[Any]] = []
"""Classes with options, as far as their modules are loaded: where options are found that others name by ``$``."""


def declared() -> list[type[Any]]:
    """Classes with options, as far as their modules are loaded."""
    return list(_SECTIONS)


class _Declared(dataclasses.Field[Any]):
    """A field that tells of the class it is in."""

    __slots__ = ()

    def __set_name__(self, owner: type[Any], name: str) -> None:
        super().__set_name__(owner, name)
        if owner not in _SECTIONS:
            _SECTIONS.append(owner)


def _declared(group: str, name: str) -> Any:
    """An option by its section and name, of the classes that are loaded; None when no class declares it.

    Of several programs' in one process, the one that has a value to put there.
    """
    classes = [cls for cls in _SECTIONS if getattr(cls, "GROUP", None) == group]
    found = [option for cls in classes for option in options_of(cls) if option.dest == name]
    return next((option for option in found if option.default is not None), found[0] if found else None)


def references(value: Any) -> Iterator[str]:
    """Names that a value has behind ``$``."""
    if isinstance(value, str):
        yield from (match[1].rstrip(".") for match in _REFERENCE.finditer(value) if match[1])
    elif isinstance(value, list | tuple):
        for part in value:
            yield from references(part)


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


_MADE: dict[type[Any], tuple[Any, ...]] = {}


def options_of(section: type[Any]) -> tuple[Any, ...]:
    """The oslo.config options a section declares."""
    if section not in _MADE:
        hints = get_type_hints(section)
        fields = [f for f in dataclasses.fields(section) if "help" in f.metadata]
        _MADE[section] = tuple(_option(f, hints[f.name]) for f in fields)
    return _MADE[section]


class Configuration:
    """Loaded configuration; give it a section class to get that section's values."""

    def __init__(self, read: Callable[[], Any]) -> None:
        self._read = read
        self._sections: dict[tuple[type[Any], str], Any] = {}
        self.oslo = read()
        """The oslo.config object, for the oslo libraries that want it (inside ``kit`` only)."""

    def apart(self) -> Any:
        """The same values in an oslo.config object of its own, for libraries that name options as we do."""
        return self._read()

    def section(self, cls: type[T], group: str | None = None) -> T:
        """Values of section ``cls``; ``group`` reads the same options from another section."""
        where = group or cls.GROUP  # type: ignore[attr-defined]  # every section class names its group
        if (cls, where) not in self._sections:
            self._sections[cls, where] = self._section(cls, where)
        found: T = self._sections[cls, where]
        return found

    def _section(self, cls: type[T], where: str) -> T:
        register(self.oslo, cls, where)
        self._register_named(where, [*(o.default for o in options_of(cls)), *self.values(where).values()])
        source = self.oslo if where == "DEFAULT" else getattr(self.oslo, where.replace("-", "_"))
        fields = [f for f in dataclasses.fields(cls) if "help" in f.metadata]  # type: ignore[arg-type]
        return cls(**{f.name: _value(source, where, f.metadata["name"] or f.name) for f in fields})

    def _register_named(self, group: str, values: Iterable[Any]) -> None:
        """Options that these values of ``group`` name by ``$`` must be there when the values are read."""
        for reference in [name for value in values for name in references(value)]:
            other, _, name = reference.rpartition(".")
            places = [other] if other else list(dict.fromkeys((group, "DEFAULT")))
            if any(_registered(self.oslo, place, name) for place in places):
                continue
            for place in places:
                option = _declared(place, name)
                if option is not None:
                    self.oslo.register_opt(option, group=None if place == "DEFAULT" else place)
                    self._register_named(place, [option.default, self.values(place).get(name)])
                    break

    def override(self, cls: type[Any], values: Mapping[str, Any]) -> None:
        """Set options of a section, over what the files say: for arguments of the command line."""
        register(self.oslo, cls)
        for name, value in values.items():
            _override(self.oslo, cls.GROUP, name, value)
        self._sections.clear()  # others may name this one by ``$``

    def register_oslo(self, options: Iterable[Any], group: str) -> None:
        """Register options that a library declares itself, as oslo.config objects."""
        self.oslo.register_opts(list(options), group=None if group == "DEFAULT" else group)

    def reread(self) -> None:
        """Take over from the files what may change while a process runs (``mutable``). Raises BadConfiguration."""
        try:
            self.oslo.mutate_config_files()
        except cfg.Error as error:
            raise BadConfiguration(reason=" ".join(str(error).split())) from error
        finally:
            self._sections.clear()

    def _files(self) -> Sequence[Mapping[str, Any]]:
        namespace = self.oslo._namespace  # noqa: SLF001  # oslo.config has no public view of unregistered options
        latest_first: Sequence[Mapping[str, Any]] = getattr(namespace, "_parsed", []) if namespace else []
        return latest_first[::-1]

    @property
    def files(self) -> list[str]:
        """Paths of the files that were read, later ones winning."""
        folders = [Path(folder) for folder in self.oslo.config_dir or ()]
        return [*map(str, self.oslo.config_file or ()), *(str(f) for d in folders for f in sorted(d.glob("*.conf")))]

    def groups(self) -> list[str]:
        """Sections that the files have, known or not."""
        return list(dict.fromkeys(group for parsed in self._files() for group in parsed))

    def values(self, group: str) -> Mapping[str, Any]:
        """Raw strings of a whole section as the files have them, unknown options too."""
        found: dict[str, Any] = {}
        for parsed in self._files():
            found.update({k: v[-1] for k, v in parsed.get(group, {}).items()})
        return found


def unknown(
    configuration: Configuration,
    known_sections: Iterable[type[Any]],
    elsewhere: Iterable[tuple[str, type[Any]]] = (),
) -> list[str]:
    """``[section] option`` of everything in the files that none of the sections declares, in order.

    ``elsewhere``: classes that are read from a section that they do not name themselves.

    Sections of libraries, and those that say how to log in to a neighbour, are not looked at: what they may hold is
    for keystoneauth's plugins to know.
    """
    known = _names([*((cls.GROUP, cls) for cls in known_sections), *elsewhere])
    found: list[str] = []
    for group in configuration.groups():
        given = configuration.values(group)
        if group.startswith(_LIBRARIES) or "auth_type" in given or "auth_section" in given:
            continue
        names = [name for name in given if (group, name) not in known]
        found += [f"[{group}] {name}" for name in names if not _registered(configuration.oslo, group, name)]
    return found


def warn_unknown(configuration: Configuration, known_sections: Iterable[type[Any]]) -> None:
    """A line in the log for every option that has no effect here, retired ones too; for the start of a service."""
    for name in unknown(configuration, known_sections):
        LOG.warning("Option %s is not known and has no effect", name)


def _names(sections: Iterable[tuple[str, type[Any]]]) -> Collection[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for group, cls in sections:
        for option in options_of(cls):
            found.add((group, option.dest))  # what files call it; a dash in its present name is not read there
            for old in option.deprecated_opts:
                name = old.name or option.dest
                found |= {(old.group or group, form) for form in (name, name.replace("-", "_"))}
    return found


def _registered(conf: Any, group: str, name: str) -> bool:
    if group == "DEFAULT":
        return name in conf._opts  # noqa: SLF001  # oslo.config lists registered options nowhere else
    return group in conf._groups and name in conf._groups[group]._opts  # noqa: SLF001  # the same


def _value(source: Any, group: str, name: str) -> Any:
    try:
        return getattr(source, name.replace("-", "_"))
    except cfg.NoSuchOptError as error:
        reason = f"[{group}] {name} names ${error.opt_name}, which is no option; write $$ where a dollar sign is meant"
    except (cfg.ConfigFileValueError, cfg.TemplateSubstitutionError, ValueError) as error:
        reason = f"[{group}] {name}: {error}"
    raise BadConfiguration(reason=reason)


def _override(conf: Any, group: str, name: str, value: Any) -> None:
    """Raises BadConfiguration for a value that the option cannot have."""
    try:
        conf.set_override(name, value, group=None if group == "DEFAULT" else group)
    except ValueError as error:
        raise BadConfiguration(reason=f"[{group}] {name}: {error}") from error


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

    Raises BadConfiguration, naming the file and line that cannot be read, or the place that is for other users alone.
    """
    found = list(files) if files is not None else None

    def read() -> Any:
        conf = cfg.ConfigOpts()
        try:
            conf(list(argv), project=project, prog=program, default_config_files=found)
        except cfg.Error as error:
            raise BadConfiguration(reason=" ".join(str(error).split())) from error
        if not conf.config_file and not conf.config_dir and (reason := closed(Path("/etc") / project)):
            raise BadConfiguration(reason=reason)
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

    def _section(self, cls: type[T], where: str) -> T:
        register(self.oslo, cls, where)
        names = {f.metadata["name"] or f.name for f in dataclasses.fields(cls) if "help" in f.metadata}  # type: ignore[arg-type]
        for name, value in self._pending.get(where, {}).items():
            if name in names:
                _override(self.oslo, where, name.replace("-", "_"), value)
        return super()._section(cls, where)

    def register_oslo(self, options: Iterable[Any], group: str) -> None:
        declared = list(options)
        super().register_oslo(declared, group)
        pending = self._pending.get(group, {})
        for option in declared:
            if option.dest in pending:
                _override(self.oslo, group, option.dest, pending[option.dest])

    def groups(self) -> list[str]:
        return list(self._pending)

    def values(self, group: str) -> Mapping[str, Any]:
        return self._pending.get(group, {})
