from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from oslo_config import cfg

from kilonova.kit.options import BadConfiguration, Configuration, from_mapping, load, opt, unknown, warn_unknown


@dataclass(frozen=True)
class One:
    GROUP: ClassVar[str] = "DEFAULT"
    host: str = opt("", "what one room says of it")


@dataclass(frozen=True)
class Other:
    GROUP: ClassVar[str] = "DEFAULT"
    host: str = opt("", "what another room says of it")


@dataclass(frozen=True)
class Odd:
    GROUP: ClassVar[str] = "DEFAULT"
    host: str = opt("elsewhere", "the same name, another default")


def test_two_rooms_may_read_one_option() -> None:
    configuration = from_mapping({"DEFAULT": {"host": "h"}})
    assert configuration.section(One).host == configuration.section(Other).host == "h"


def test_one_option_has_one_default() -> None:
    configuration = from_mapping({})
    configuration.section(One)
    with pytest.raises(cfg.DuplicateOptError):
        configuration.section(Odd)


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "nova.conf").write_text("[DEFAULT]\nhost = file\n")
    configuration = load("program", ["--config-file", str(tmp_path / "nova.conf")])
    assert configuration.section(One).host == "file"
    configuration.override(One, {"host": "words"})
    assert configuration.section(Other).host == "words"


def test_apart_libraries_register_what_they_like(tmp_path: Path) -> None:
    (tmp_path / "nova.conf").write_text("[DEFAULT]\nhost = file\n")
    configuration = load("program", ["--config-file", str(tmp_path / "nova.conf")])
    configuration.section(One)
    apart = configuration.apart()
    apart.register_opt(cfg.StrOpt("host", default="a library's own"))
    assert apart.host == "file"


@dataclass(frozen=True)
class PlaceOfAnother:
    """Of a program that only accepts it."""

    GROUP: ClassVar[str] = "DEFAULT"
    test_state_path: str | None = opt(None, "no effect")


@dataclass(frozen=True)
class Place:
    GROUP: ClassVar[str] = "DEFAULT"
    test_state_path: str = opt("/var/lib/test", "where things are")


@dataclass(frozen=True)
class Paths:
    GROUP: ClassVar[str] = "test_paths"
    disks: str = opt("$test_state_path/disks", "names an option of another section")
    staged: str = opt("${disks}/staged", "names an option of its own")
    far: str = opt("$test_paths.disks/far", "names an option by its section")
    many: list[str] = opt(["$test_state_path/a", "b"], "names one in a list")
    dashed: int = opt(1, "has a dash in its name", name="is-dashed", min=0, deprecated_name="was-dashed")
    secret: str | None = opt(None, "may have a dollar sign", secret=True)


def written(folder: Path, text: str) -> Configuration:
    (folder / "nova.conf").write_text(text)
    return load("program", ["--config-file", str(folder / "nova.conf")])


def test_defaults_may_name_options_that_nobody_has_read_yet() -> None:
    configuration = from_mapping({})
    paths = configuration.section(Paths)
    assert configuration.section(Place).test_state_path == "/var/lib/test"
    assert (paths.disks, paths.staged) == ("/var/lib/test/disks", "/var/lib/test/disks/staged")
    assert (paths.far, paths.many) == ("/var/lib/test/disks/far", ["/var/lib/test/a", "b"])
    given = from_mapping({"DEFAULT": {"test_state_path": "/srv"}})
    given.section(Place)
    assert given.section(Paths).staged == "/srv/disks/staged"


def test_files_may_name_options_that_nobody_has_read_yet(tmp_path: Path) -> None:
    text = "[DEFAULT]\ntest_state_path = /srv\n[test_paths]\ndisks = $test_state_path/x\nsecret = pa$$word\n"
    paths = written(tmp_path, text).section(Paths)
    assert (paths.disks, paths.staged, paths.secret) == ("/srv/x", "/srv/x/staged", "pa$word")


def test_what_names_no_option_is_refused_by_name(tmp_path: Path) -> None:
    configuration = written(tmp_path, "[test_paths]\nsecret = pa$word\n")
    with pytest.raises(BadConfiguration, match=r"\[test_paths\] secret names \$word, .* write \$\$"):
        configuration.section(Paths)


@pytest.mark.parametrize(("value", "reason"), [("many", "invalid literal|int"), ("-1", "Should be greater")])
def test_bad_values_are_refused_by_name(tmp_path: Path, value: str, reason: str) -> None:
    in_file = written(tmp_path, f"[test_paths]\nis_dashed = {value}\n")
    for configuration in (in_file, from_mapping({"test_paths": {"is-dashed": value}})):
        with pytest.raises(BadConfiguration, match=rf"\[test_paths\] is.dashed.*({reason})"):
            configuration.section(Paths)
    with pytest.raises(BadConfiguration, match=r"\[test_paths\] is_dashed"):
        from_mapping({}).override(Paths, {"is_dashed": value})


def test_unreadable_files_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match=r"nova\.conf"):
        written(tmp_path, "[DEFAULT\n")
    with pytest.raises(BadConfiguration, match=r"none\.conf"):
        load("program", ["--config-file", str(tmp_path / "none.conf")])


def test_what_no_section_knows_is_told_once_and_harms_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lines = ["[DEFAULT]", "test_state_path = /srv", "retired = 1", "[test_paths]", "was-dashed = 5", "disk = typo"]
    lines += [
        "[gone]",
        "x = $y",
        "[neutron]",
        "auth_type = password",
        "username = u",
        "[oslo_messaging_rabbit]",
        "a = b",
    ]
    configuration = written(tmp_path, "\n".join(lines))
    warn_unknown(configuration, [Place, Paths])
    names = [record.getMessage() for record in caplog.records]
    assert names == [
        f"Option {name} is not known and has no effect"
        for name in ("[DEFAULT] retired", "[test_paths] disk", "[gone] x")
    ]
    assert configuration.section(Paths).dashed == 5
    assert unknown(from_mapping({"test_paths": {"is_dashed": 1, "else": 2}}), [Paths]) == ["[test_paths] else"]


def test_raw_values_come_from_the_last_file(tmp_path: Path) -> None:
    (tmp_path / "more.conf").write_text("[any]\nthing = 2\n")
    (tmp_path / "nova.conf").write_text("[any]\nthing = 1\nother = x\n")
    files = [str(tmp_path / name) for name in ("nova.conf", "more.conf")]
    configuration = load("program", files=files)
    assert configuration.values("any") == {"thing": "2", "other": "x"}
    assert configuration.groups() == ["any"]
    assert configuration.values("none") == {}


def test_options_that_a_library_registers_later_are_answered_from_the_mapping() -> None:
    configuration = from_mapping({"them": {"url": "http://h", "retries": "3", "dashed-name": True}})
    names = [cfg.StrOpt("url"), cfg.IntOpt("retries"), cfg.BoolOpt("dashed-name"), cfg.IntOpt("other", default=7)]
    configuration.oslo.register_opts(names, group="them")
    section = configuration.oslo.them
    assert (section.url, section.retries, section.dashed_name, section.other) == ("http://h", 3, True, 7)
