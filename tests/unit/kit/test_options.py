from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from oslo_config import cfg

from kilonova.kit.options import from_mapping, load, opt


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
